"""The networks: detector, encoder, decoder, heads, and what each compared method uses of them."""
