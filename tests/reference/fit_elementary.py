#!/usr/bin/env python3
"""Prints the coefficients in src/real/ and shaders/real/, by interpolation in Chebyshev points, which is within a few percent of the best.

`pip install mpmath`, then `python3 fit_elementary.py`. Each table is followed by its largest relative error on the
function's interval, as a power of two; f32 needs about -27, f64 about -56.
"""

import mpmath as mp

mp.mp.dps = 60


def fit(name, f, low, high, degrees, beside=0):
    """Polynomials for f on [low, high], constant term first: one for f32, one for f64. Errors are those of beside + f."""
    for precision, degree in zip(("SINGLE", "DOUBLE"), degrees):
        count = degree + 1
        points = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
        powers = mp.matrix([[x**j for j in range(count)] for x in points])
        solved = mp.lu_solve(powers, mp.matrix([f(x) for x in points]))
        coefficients = [float(c) for c in solved]
        grid = [low + (high - low) * (k + mp.mpf("0.5")) / 400 for k in range(400)]
        error = max(abs((mp.polyval(list(solved)[::-1], x) - f(x)) / (beside + f(x))) for x in grid)
        print(f"// {name}: 2^{mp.nstr(mp.log(error, 2), 4)}")
        print(f"const {precision}: [f64; {count}] = [{', '.join(map(repr, coefficients))}];")


def split(x, digits):
    """The leading binary digits of x, 0.5 <= x < 1, and the rest."""
    head = mp.nint(x * 2**digits) / 2**digits
    print(f"// {digits} digits: {float(head)!r} and {float(x - head)!r}")


half = mp.log(2) / 2 * mp.mpf("1.001")
# e^r = 1 + r + r^2 q(r)
fit("exp", lambda r: (mp.expm1(r) - r) / r**2, -half, half, (5, 11))
# ln(m) = 2 atanh(s) = 2 s + 2 s z q(z) with s = (m - 1) / (m + 1), z = s^2; sqrt(1/2) <= m <= sqrt(2)
end = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mp.mpf("1.001")
fit("ln", lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(0), end, (3, 7))
# erf(x) = x + x q(x^2), |x| < 0.7
fit("erf", lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, mp.mpf(0), mp.mpf("0.49") * mp.mpf("1.001"), (5, 10), beside=1)
# e^(x^2) erfc(x) = q(t) / (1 + 2 x) with t = (x - K) / (x + K), 0 <= x
K = mp.mpf(3)


def scaled(t):
    x = K * (1 + t) / (1 - t)
    if x > 40:
        # By Laplace's continued fraction.
        g = mp.mpf(0)
        for level in range(60, 0, -1):
            g = mp.mpf(level) / 2 / (x + g)
        return (1 + 2 * x) / (x + g) / mp.sqrt(mp.pi)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


fit("erfc", scaled, mp.mpf(-1), mp.mpf(1), (11, 24))
# sin(r) = r + r z q(z) and cos(r) = 1 - z / 2 + z^2 q(z), z = r^2, |r| <= pi / 4: on devices only, in f32
end = (mp.pi / 4) ** 2 * mp.mpf("1.001")
fit("sin", lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(0), end, (3,))
fit("cos", lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, mp.mpf(0), end, (2,))
# The inverses and the tangent, as sin, of a series x + x z q(z), z = x^2: on devices only.
fit("asin", lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(0), mp.mpf("0.25") * mp.mpf("1.001"), (5,))
end = (mp.sqrt(2) - 1) ** 2 * mp.mpf("1.001")
fit("atan", lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(0), end, (4,))
end = (mp.pi / 4) ** 2 * mp.mpf("1.001")
fit("tan", lambda z: (mp.tan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf(0), end, (6,))
split(mp.log(2), 16)
split(mp.log(2), 41)
