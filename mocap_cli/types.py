"""Array types by element: `Float64` is a NumPy array of float64, and so on."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Image = UInt8  # (H, W, 3) RGB, or (H, W) grey
Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Index = NDArray[np.intp]
