"""`python -m mocap_cli` is `mocap`."""

from mocap_cli.cli.main import main

main()
