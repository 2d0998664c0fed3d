"""Eight or 64 bytes at a time, for kernels that look for few among many."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

ONES, HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
WIDTH, BLOCK = 8, 64


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


@intrinsic
def block_bits(context: Any, data: Any, at: Any, ignored: Any, value: Any) -> Any:
    """A bit for each of the 64 bytes from a position on, which must be there: whether it has a value, the first lowest.

    :param ignored: bits that are taken to be set in each byte.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        small, index = ir.IntType(8), ir.IntType(32)
        block = ir.VectorType(small, BLOCK)
        nothing = ir.Constant(block, ir.Undefined)

        def in_each(number: Any) -> Any:
            first = builder.insert_element(nothing, builder.trunc(number, small), index(0))
            return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(index, BLOCK), [0] * BLOCK))

        place = builder.gep(array.data, [args[1]])
        found = builder.load(builder.bitcast(place, block.as_pointer()))
        found.align = 1
        same = builder.icmp_unsigned("==", builder.or_(found, in_each(args[2])), in_each(args[3]))
        return builder.bitcast(same, ir.IntType(64))

    return types.uint64(data, types.int64, types.int64, types.int64), code
