"""Eight bytes at a time, for kernels that look for few among many."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

ONES, HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
WIDTH = 8


@intrinsic
def word_at(context: Any, data: Any, at: Any) -> Any:
    """The eight bytes from a position on, which must be there, as a number: the first one is its lowest."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        word = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.int64), code


@intrinsic
def zeros_below(context: Any, word: Any) -> Any:
    """How many bits below the lowest one that is set; the word is not zero."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), code
