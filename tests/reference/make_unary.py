#!/usr/bin/env python3
"""Writes unary.tsv next to this file: reference values of the elementwise functions and of their derivatives.

They come from mpmath and from the definitions below alone, never from the crate. `pip install mpmath`, then
`python3 make_unary.py`; the output is the same every time.

Columns: function, parameters, x, value, first derivative, second derivative. x is exact (the shortest decimal that
reads back as the same f64), the others have 20 digits; inf and -inf stand at a pole and for what is far beyond the
range of f64, nan where there is no value. Most x are f32 numbers, so that both precisions share them;
those marked below as f64 are not, as a square of an f32 number would be exact in f64 and hide its rounding.
"""

import math
import pathlib
import random
import struct

import mpmath as mp

mp.mp.dps = 50


def f32(x):
    """The f32 number nearest to x."""
    return struct.unpack("f", struct.pack("f", x))[0]


def p(x):
    """The density of the normal distribution."""
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def absolute(x):
    return abs(x), mp.sign(x), mp.mpf(0)


def clamp(x, low, high):
    return min(max(x, low), high), mp.mpf(low <= x <= high), mp.mpf(0)


def elu(x, alpha):
    if x > 0:
        return x, mp.mpf(1), mp.mpf(0)
    return alpha * mp.expm1(x), alpha * mp.exp(x), alpha * mp.exp(x)


def erf(x):
    slope = 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)
    return mp.erf(x), slope, -2 * x * slope


def exp(x):
    return (mp.exp(x),) * 3


def floor(x):
    return mp.floor(x), mp.mpf(0), mp.mpf(0)


def gelu(x):
    if abs(x) < 1000:
        distribution = mp.erfc(-x / mp.sqrt(2)) / 2
    else:
        distribution = mp.mpf(x > 0)  # to more digits than anyone has; mpmath's erfc fails on huge numbers
    return x * distribution, distribution + x * p(x), p(x) * (2 - x * x)


def gelu_tanh(x):
    # x/2 (1 + tanh u), written so that nothing cancels: (1 + tanh u) / 2 = 1 / (1 + e^(-2 u)).
    root, cubic = mp.sqrt(2 / mp.pi), mp.mpf("0.044715")
    u, u1, u2 = root * (x + cubic * x**3), root * (1 + 3 * cubic * x**2), root * 6 * cubic * x
    half = 1 / (1 + mp.exp(-2 * u))
    sech2 = 1 / mp.cosh(u) ** 2
    first = half + x / 2 * sech2 * u1
    second = sech2 * u1 + x / 2 * sech2 * (u2 - 2 * mp.tanh(u) * u1**2)
    return x * half, first, second


def leaky_relu(x, slope):
    return (x, mp.mpf(1), mp.mpf(0)) if x > 0 else (slope * x, slope, mp.mpf(0))


def log(x):
    if x == 0:
        return -mp.inf, mp.inf, -mp.inf
    return (mp.log(x), 1 / x, -1 / x**2) if x > 0 else (mp.nan,) * 3


def reciprocal(x):
    return (1 / x, -1 / x**2, 2 / x**3) if x != 0 else (mp.inf, -mp.inf, mp.inf)


def relu(x):
    return (x, mp.mpf(1), mp.mpf(0)) if x > 0 else (mp.mpf(0), mp.mpf(0), mp.mpf(0))


def nearest(x):
    return mp.nint(x), mp.mpf(0), mp.mpf(0)


def sigmoid(x):
    s, rest = 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))
    return s, s * rest, s * rest * (rest - s)


def sign(x):
    return mp.sign(x), mp.mpf(0), mp.mpf(0)


def silu(x):
    s, s1, s2 = sigmoid(x)
    return x * s, s + x * s1, 2 * s1 + x * s2


def sin(x):
    return mp.sin(x), mp.cos(x), -mp.sin(x)


def softplus(x):
    s, s1, _ = sigmoid(x)
    # ln(1 + e^x) = x + ln(1 + e^-x); log1p keeps the digits where the exponential is small.
    value = mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))
    return value, s, s1


def sqrt(x):
    if x == 0:
        return mp.mpf(0), mp.inf, -mp.inf
    root = mp.sqrt(abs(x))
    return (root, 1 / (2 * root), -1 / (4 * x * root)) if x > 0 else (mp.nan,) * 3


def tanh(x):
    slope = 1 / mp.cosh(x) ** 2
    return mp.tanh(x), slope, -2 * mp.tanh(x) * slope


def asin(x):
    if abs(x) > 1:
        return (mp.nan,) * 3
    if abs(x) == 1:
        return mp.asin(x), mp.inf, x * mp.inf
    return mp.asin(x), (1 - x * x) ** mp.mpf("-0.5"), x * (1 - x * x) ** mp.mpf("-1.5")


def acos(x):
    _, first, second = asin(x)
    return mp.acos(x) if abs(x) <= 1 else mp.nan, -first, -second


def atan(x):
    return mp.atan(x), 1 / (1 + x * x), -2 * x / (1 + x * x) ** 2


def sinh(x):
    # e^1e6 is beyond all numbers, and mpmath's exponents have an end too.
    x = max(min(x, mp.mpf(10) ** 6), -mp.mpf(10) ** 6)
    return mp.sinh(x), mp.cosh(x), mp.sinh(x)


def cosh(x):
    value, first, _ = sinh(x)
    return first, value, first


def asinh(x):
    return mp.asinh(x), (1 + x * x) ** mp.mpf("-0.5"), -x * (1 + x * x) ** mp.mpf("-1.5")


def acosh(x):
    if x < 1:
        return (mp.nan,) * 3
    if x == 1:
        return mp.mpf(0), mp.inf, -mp.inf
    return mp.acosh(x), (x * x - 1) ** mp.mpf("-0.5"), -x * (x * x - 1) ** mp.mpf("-1.5")


def atanh(x):
    if abs(x) > 1:
        return (mp.nan,) * 3
    if abs(x) == 1:
        return x * mp.inf, mp.inf, x * mp.inf
    return mp.atanh(x), 1 / (1 - x * x), 2 * x / (1 - x * x) ** 2


def cos(x):
    return mp.cos(x), -mp.sin(x), -mp.cos(x)


def tan(x):
    t = mp.tan(x)
    return t, 1 + t * t, 2 * t * (1 + t * t)


def power(x, p):
    if x < 0:
        return (mp.nan,) * 3
    if x == 0:
        return tuple(mp.mpf(0) if q > 0 else sign * mp.inf for q, sign in ((p, 1), (p - 1, p), (p - 2, p * (p - 1))))
    return x**p, p * x ** (p - 1), p * (p - 1) * x ** (p - 2)


def quantize(x, low, high):
    """mp.nint rounds ties to even."""
    nearest = mp.nint(x)
    return min(max(nearest, low), high), mp.mpf(low <= nearest <= high), mp.mpf(0)


def norm_sqrt(x):
    return sqrt(x) if x != 0 else (mp.mpf(0),) * 3


def hard_tanh(x, low, high):
    return min(max(x, low), high), mp.mpf(low < x < high), mp.mpf(0)


def shrink(x, lambd, bias):
    outside = abs(x) > lambd
    return (x - mp.sign(x) * bias if outside else mp.mpf(0)), mp.mpf(outside), mp.mpf(0)


def thresholded_relu(x, alpha):
    return (x, mp.mpf(1), mp.mpf(0)) if x > alpha else (mp.mpf(0),) * 3


# Where gelu by an erfc of f32 precision is off the most.
ERFCF_WORST = 1.8369600772857666
# Where gelu is a normal f64 and the erfc in it is not.
GELU_END = [37.57, 37.58, 37.59, 37.61, 37.62]

# Where the numbers of f32 and of f64 end, at both ends of the normal ones.
ENDS = [2.0**-126, (2 - 2.0**-23) * 2.0**127, 2.0**-1022, (2 - 2.0**-52) * 2.0**1023]
# Where 1/x^2, 1/x^3 and 1/(4 x sqrt(x)) pass these ends.
POWERS = [5.4e-20, 9.2e18, 1.8e-13, 5.5e12, 3.8e-26, 2e25]
POWERS_F64 = [7.6e-155, 7.2e-155, 1e154, 2.3e-103, 2.2e-103, 4.4e102, 6e-207, 4e204]

# Inside of -1 and 1, and at the ends.
INSIDE = [0.1, 0.3, 0.5, 0.6, 0.75, 0.9, 0.99, 0.9999, 1.0]

# Function, parameters, formula, and where something special happens: tails that end in either precision, thresholds.
# New ones go to the end: a function's place in this list chooses its points.
CASES = [
    ("elu", "alpha=1", lambda x: elu(x, mp.mpf(1)), [17.5, 37.5]),
    ("elu", "alpha=0.3", lambda x: elu(x, mp.mpf(0.3)), [17.5, 37.5]),
    ("erf", "", erf, [0.84375, 1.25, 2.857, 3.9, 6.0, 9.3, 26.5]),
    ("gelu", "approximate=none", gelu, [ERFCF_WORST, 4.5, 8.5, 12.5, 12.9, 12.95, 13.05, 13.1, 20.0, 37.0, *GELU_END]),
    ("gelu", "approximate=tanh", gelu_tanh, [4.0, 7.0, 8.5, 9.0, 10.0, 10.1, 10.2, 15.0, 18.0, 21.0, 21.4, 21.5]),
    ("leaky_relu", "slope=0.01", lambda x: leaky_relu(x, mp.mpf(0.01)), []),
    ("leaky_relu", "slope=0.25", lambda x: leaky_relu(x, mp.mpf(0.25)), []),
    ("relu", "", relu, []),
    ("sigmoid", "", sigmoid, [17.0, 37.0, 80.0, 87.0, 300.0, 700.0, 708.0]),
    ("silu", "", silu, [17.0, 37.0, 40.0, 80.0, 87.5, 88.8, 91.0, 91.8, 300.0, 708.5, 712.0, 714.8]),
    ("sin", "", sin, [math.pi / 2, math.pi, 2 * math.pi, 355.0, 1e5, 1e10, 1e22, 1e30]),
    ("softplus", "", softplus, [17.0, 20.0, 37.0, 80.0, 87.0, 300.0, 700.0, 708.0]),
    ("tanh", "", tanh, [0.55, 9.01, 19.1, 22.0]),
    ("abs", "", absolute, []),
    ("clamp", "min=-1,max=0.5", lambda x: clamp(x, mp.mpf(-1), mp.mpf(0.5)), [0.5, 1.0]),
    ("clamp", "min=0,max=6", lambda x: clamp(x, mp.mpf(0), mp.mpf(6)), [6.0]),
    ("exp", "", exp, [17.5, 37.5, 87.34, 88.72, 103.9, 708.4, 709.78, 745.1]),
    ("log", "", log, [0.5, 1.0, math.e, 1e7]),
    ("reciprocal", "", reciprocal, [0.5, 1.0, 3.0, 1e7]),
    ("sqrt", "", sqrt, [0.25, 1.0, 2.0, 1e7]),
    ("detach", "", lambda x: (x, mp.mpf(0), mp.mpf(0)), []),
    ("floor", "", floor, [0.5, 1.0, 2.0, 3.0, 8388607.5]),
    ("round", "", nearest, [0.5, 1.5, 2.5, 3.5, 8388607.5]),
    ("sign", "", sign, []),
    ("acos", "", acos, INSIDE),
    ("acosh", "", acosh, [1.0001, 1.01, 1.5, 2.0, 3.0, 7.0, 1e6, 1e9]),
    ("asin", "", asin, INSIDE),
    ("asinh", "", asinh, [0.5, 1.0, 1e6, 1e9]),
    ("atan", "", atan, [0.41421356, 0.5, 1.0, 2.41421356, 1e7]),
    ("atanh", "", atanh, INSIDE),
    ("cos", "", cos, [math.pi / 2, math.pi, 2 * math.pi, 355.0, 1e5, 1e10, 1e22, 1e30]),
    ("cosh", "", cosh, [20.0, 22.0, 88.72, 89.4, 709.78, 710.4]),
    ("hard_tanh", "min=-1,max=0.5", lambda x: hard_tanh(x, mp.mpf(-1), mp.mpf(0.5)), [0.5, 1.0]),
    ("hard_tanh", "min=0,max=6", lambda x: hard_tanh(x, mp.mpf(0), mp.mpf(6)), [6.0]),
    ("norm_sqrt", "", norm_sqrt, [0.25, 1.0, 2.0, 1e7]),
    ("pow", "exponent=1.75", lambda x: power(x, mp.mpf(1.75)), [0.25, 1.0, 2.0, 1e7]),
    ("pow", "exponent=-0.4", lambda x: power(x, mp.mpf(-0.4)), [0.25, 1.0, 2.0, 1e7]),
    ("quantize", "min=-2,max=1", lambda x: quantize(x, -2, 1), [0.5, 1.0, 1.5, 2.0, 2.5]),
    ("quantize", "min=0,max=255", lambda x: quantize(x, 0, 255), [0.5, 1.5, 2.5, 254.5, 255.0, 255.5]),
    ("shrink", "lambda=0.5,bias=0.5", lambda x: shrink(x, mp.mpf(0.5), mp.mpf(0.5)), [0.5]),
    ("shrink", "lambda=0.25,bias=0", lambda x: shrink(x, mp.mpf(0.25), mp.mpf(0)), [0.25]),
    ("sinh", "", sinh, [20.0, 22.0, 88.72, 89.4, 709.78, 710.4]),
    ("tan", "", tan, [math.pi / 4, math.pi / 2, math.pi, 355.0, 1e5, 1e10, 1e22, 1e30]),
    ("thresholded_relu", "alpha=1", lambda x: thresholded_relu(x, mp.mpf(1)), [1.0]),
    ("thresholded_relu", "alpha=-0.5", lambda x: thresholded_relu(x, mp.mpf(-0.5)), [0.5]),
]


def points(special, number, spread, exact):
    """The x of one function: zero, `exact` and f32 numbers, and in the last place f64 numbers."""
    sure = [0.0] + [s * x for x in exact for s in (1, -1)]
    shared = [1e-38, 2e-38, 1e-30, 1e-20, 1e-10, 1e-7, 1e-6, 9e-6, 1.1e-5, 1e-4, 1e-3, 50.0, 86.0, 90.0, 120.0]
    shared += [400.0, 1000.0, 1e5, 1e10, 1e19, 1e30, 3e38]
    shared += [0.01 * 1.35**k for k in range(24)]
    only_f64 = [1e-300, 3e-308, 1e-200, 1e200, 1e300]
    for end in special:
        shared += [end * (1 - 1e-3), end, end * (1 + 1e-3)]
        only_f64 += [end * (1 - 1e-3), end * (1 + 2e-4)]
    chance = random.Random(number)
    for _ in range(spread):
        shared.append(2 ** chance.uniform(-6, 7))
        shared.append(chance.uniform(0, 12))
        only_f64.append(chance.uniform(0, 2))
        only_f64.append(chance.uniform(0, 40))
    both_signs = [s * x for x in [f32(x) for x in shared] + only_f64 for s in (1, -1)]
    return sorted(set(sure + both_signs))


def text(v):
    """20 digits of v, but 0 and an infinity where that is far below the smallest f64 and far above the largest."""
    if abs(v) < mp.mpf("1e-400"):
        return "0"
    if abs(v) > mp.mpf("1e400"):
        return "inf" if v > 0 else "-inf"
    return mp.nstr(v, 20, strip_zeros=True).removesuffix(".0").replace(".0e", "e")


def main():
    path = pathlib.Path(__file__).with_name("unary.tsv")
    with path.open("w", newline="\n") as out:
        out.write("# Written by make_unary.py with mpmath.\n")
        out.write("# function\tparameters\tx\tvalue\tfirst\tsecond\n")
        for number, (name, parameters, formula, special) in enumerate(CASES):
            spread = 4 if name in ("abs", "clamp", "floor", "leaky_relu", "relu", "round", "sign") or number > 20 else 14
            unbounded = name in ("exp", "log", "norm_sqrt", "pow", "reciprocal", "sqrt")
            exact = ENDS + [f32(x) for x in POWERS] + POWERS_F64 if unbounded else []
            for x in points(special, number, spread, exact):
                if x == 0 and name in ("elu", "leaky_relu", "relu"):
                    continue  # the kink
                numbers = [text(v) for v in formula(mp.mpf(x))]
                out.write("\t".join([name, parameters, repr(x), *numbers]) + "\n")


if __name__ == "__main__":
    main()
