//! Convolutions and pools compared with plain nested loops, for random windows. All numbers are small integers, so sums
//! are exact and must be equal.

use proptest::prelude::*;
use tangent_kernels::Cpu;
use tangent_kernels::extend::Factor;
use tangent_kernels::ops::{AvgPool2d, Conv1d, Conv2d, ConvTranspose2d, MaxPool2d, Op, OpContext};
use tangent_kernels::ops::{Storage, Window, Windows};

/// Integers from -4 to 4.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let number = |k: u64| ((k * k + 31 * seed * k + seed) as f64 * 0.618_033_988_749_894_9).fract() * 9.0 - 4.5;
    (1..=count as u64).map(|k| number(k).round()).collect()
}

/// A convolution of `n` samples from `x[n, g i, h, w]` to `y[n, g o, h', w']`, and its numbers.
#[derive(Clone, Debug)]
struct Conv {
    n: usize,
    i: usize,
    o: usize,
    size: [usize; 2],
    window: Window,
    seed: u64,
}

/// The indices of x, w and y in one product.
struct Meeting {
    n: usize,
    x: usize,
    w: usize,
    y: usize,
}

impl Conv {
    /// h' and w', counted one by one.
    fn positions(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let Window { kernel, stride, dilation, padding, .. } = self.window;
            let padded = self.size[axis] + padding[axis][0] + padding[axis][1];
            (0..padded).filter(|p| p % stride[axis] == 0 && p + (kernel[axis] - 1) * dilation[axis] < padded).count()
        })
    }

    fn x_shape(&self) -> [usize; 4] {
        [self.n, self.window.groups * self.i, self.size[0], self.size[1]]
    }
    fn y_shape(&self) -> [usize; 4] {
        let [h, w] = self.positions();
        [self.n, self.window.groups * self.o, h, w]
    }
    fn w_shape(&self) -> [usize; 4] {
        [self.window.groups * self.o, self.i, self.window.kernel[0], self.window.kernel[1]]
    }

    fn each(&self, mut f: impl FnMut(Meeting)) {
        let Window { kernel, stride, dilation, padding, groups } = self.window;
        let ([h, w], [rows, cols]) = (self.size, self.positions());
        for n in 0..self.n {
            for (g, o, i) in triples(groups, self.o, self.i) {
                for (row, col, tap) in triples(rows, cols, kernel[0] * kernel[1]) {
                    let (k, l) = (tap / kernel[1], tap % kernel[1]);
                    let (r, c) = (row * stride[0] + k * dilation[0], col * stride[1] + l * dilation[1]);
                    let (Some(r), Some(c)) = (r.checked_sub(padding[0][0]), c.checked_sub(padding[1][0])) else {
                        continue;
                    };
                    if r < h && c < w {
                        f(Meeting {
                            n,
                            x: ((n * groups * self.i + g * self.i + i) * h + r) * w + c,
                            w: ((g * self.o + o) * self.i + i) * kernel[0] * kernel[1] + tap,
                            y: ((n * groups * self.o + g * self.o + o) * rows + row) * cols + col,
                        });
                    }
                }
            }
        }
    }

    /// The convolution of x with w.
    fn y(&self, x: &[f64], w: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; size(&self.y_shape())];
        self.each(|at| y[at.y] += x[at.x] * w[at.w]);
        y
    }
    /// The adjoint in x, for the cotangent y.
    fn x(&self, y: &[f64], w: &[f64]) -> Vec<f64> {
        let mut x = vec![0.0; size(&self.x_shape())];
        self.each(|at| x[at.x] += y[at.y] * w[at.w]);
        x
    }
    /// The adjoint in w for every sample, for the cotangent y.
    fn w(&self, x: &[f64], y: &[f64]) -> Vec<f64> {
        let one = size(&self.w_shape());
        let mut w = vec![0.0; self.n * one];
        self.each(|at| w[at.n * one + at.w] += x[at.x] * y[at.y]);
        w
    }
}

fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |x| (0..b).flat_map(move |y| (0..c).map(move |z| (x, y, z))))
}

fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

prop_compose! {
    fn convs()(
        n in 0usize..5, i in 1usize..4, o in 1usize..4, groups in 1usize..4, h in 1usize..9, w in 1usize..9,
        kernel in [1usize..4, 1usize..5], stride in [1usize..4, 1usize..4], dilation in [1usize..4, 1usize..3],
        padding in [[0usize..4, 0usize..4], [0usize..4, 0usize..4]], seed in 0u64..1000,
    ) -> Conv {
        Conv { n, i, o, size: [h, w], window: Window { kernel, stride, dilation, padding, groups }, seed }
    }
}

fn fitting_convs() -> impl Strategy<Value = Conv> {
    convs().prop_filter("the kernel fits", |conv| !conv.positions().contains(&0))
}

/// The result of an op, the cotangent of its input, the per-sample gradients of its weight, and their Gram matrix.
fn run(op: &impl Op, x: (&[f64], &[usize]), w: (&[f64], &[usize]), dy: &[f64]) -> [Vec<f64>; 4] {
    let cpu = Cpu::<f64>::new();
    let shape = op.shape(&[&x.1[1..]], &[w.1]).unwrap();
    let (x, w) = (cpu.upload(x.0, x.1), cpu.upload(w.0, w.1));
    let dy = cpu.upload(dy, &[&cpu.shape(&x)[..1], &shape].concat());
    let at = OpContext { arrays: &cpu, inputs: &[&x], parameters: &[&w] };
    let y = op.forward(&at);
    assert_eq!(cpu.shape(&y)[1..], shape);
    let factor = Factor::new(op.input_operand(&at, 0).unwrap(), dy.clone());
    [y.clone(), op.pull(&at, &y, &dy, 0), factor.jacobian(&cpu), factor.gram(&cpu, &factor)]
        .map(|array| cpu.read(&array).unwrap())
}

/// rows rows^T
fn gram(rows: &[f64], n: usize) -> Vec<f64> {
    let row = |k: usize| &rows[k * rows.len() / n..(k + 1) * rows.len() / n];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    (0..n).flat_map(|a| (0..n).map(move |b| (a, b))).map(|(a, b)| dot(row(a), row(b))).collect()
}

fn check_conv2d(conv: &Conv) {
    let Window { stride, dilation, padding, groups, .. } = conv.window;
    let (xs, ws, ys) = (conv.x_shape(), conv.w_shape(), conv.y_shape());
    let (x, w, dy) = (numbers(size(&xs), conv.seed), numbers(size(&ws), 1), numbers(size(&ys), 2));
    let op = Conv2d::new().stride(stride).dilation(dilation).padding_sides(padding).groups(groups);
    let rows = conv.w(&x, &dy);
    let expected = [conv.y(&x, &w), conv.x(&dy, &w), rows.clone(), gram(&rows, conv.n)];
    assert_eq!(run(&op, (&x, &xs), (&w, &ws), &dy), expected);
    if xs[2] == 1 && ws[2] == 1 && padding[0] == [0, 0] {
        let op = Conv1d::new().stride(stride[1]).dilation(dilation[1]).padding_sides(padding[1]).groups(groups);
        assert_eq!(run(&op, (&x, &[xs[0], xs[1], xs[3]]), (&w, &[ws[0], ws[1], ws[3]]), &dy), expected);
    }
}

proptest! {
    #[test]
    fn conv2d_is_what_loops_say(conv in fitting_convs()) {
        check_conv2d(&conv);
    }

    #[test]
    fn conv1d_is_what_loops_say(conv in fitting_convs()) {
        let Conv { size, window, .. } = conv;
        let Window { kernel, padding, .. } = window;
        let window = Window { kernel: [1, kernel[1]], padding: [[0, 0], padding[1]], ..window };
        check_conv2d(&Conv { size: [1, size[1]], window, ..conv });
    }

    /// The same loops from y to x. Entries at the end of the plane that no window reads are `output_padding`.
    #[test]
    fn conv_transpose2d_is_what_loops_say(conv in fitting_convs()) {
        let Window { kernel, stride, dilation, padding, groups } = conv.window;
        let output_padding = [0, 1].map(|axis| {
            let span = (kernel[axis] - 1) * dilation[axis] + 1;
            (conv.size[axis] + padding[axis][0] + padding[axis][1] - span) % stride[axis]
        });
        let op = ConvTranspose2d::new().stride(stride).dilation(dilation).padding_sides(padding).groups(groups);
        let op = op.output_padding(output_padding);
        let (xs, ws, dys) = (conv.y_shape(), conv.w_shape(), conv.x_shape());
        let (x, w, dy) = (numbers(size(&xs), conv.seed), numbers(size(&ws), 1), numbers(size(&dys), 2));
        let rows = conv.w(&dy, &x);
        let expected = [conv.x(&x, &w), conv.y(&dy, &w), rows.clone(), gram(&rows, conv.n)];
        assert_eq!(op.shape(&[&xs[1..]], &[&ws]).unwrap(), dys[1..]);
        assert_eq!(run(&op, (&x, &xs), (&w, &ws), &dy), expected);
    }

    /// Several cotangents per sample, and the sum over samples.
    #[test]
    fn weight_kernels_are_what_loops_say(conv in fitting_convs(), cotangents in 1usize..4) {
        let cpu = Cpu::<f64>::new();
        let (xs, ys) = (conv.x_shape(), conv.y_shape());
        let (one, width) = (size(&ys[1..]), size(&conv.w_shape()));
        let (x, dy) = (numbers(size(&xs), conv.seed), numbers(conv.n * cotangents * one, 2));
        let mut expected = vec![0.0; conv.n * cotangents * width];
        for s in 0..cotangents {
            let part: Vec<f64> = (0..conv.n).flat_map(|n| &dy[(n * cotangents + s) * one..][..one]).copied().collect();
            for (n, row) in conv.w(&x, &part).chunks_exact(width).enumerate() {
                expected[(n * cotangents + s) * width..][..width].copy_from_slice(row);
            }
        }
        let (x, dy) = (cpu.upload(&x, &xs), cpu.upload(&dy, &[&[conv.n, cotangents], &ys[1..]].concat()));
        let got = cpu.convolve_weight(&x, &dy, &conv.window);
        assert_eq!(cpu.shape(&got)[..3], [conv.n, cotangents, ys[1]]);
        assert_eq!(cpu.read(&got).unwrap(), expected);
        let mut sum = vec![0.0; cotangents * width];
        expected.iter().enumerate().for_each(|(k, x)| sum[k % (cotangents * width)] += x);
        assert_eq!(cpu.read(&cpu.convolve_weight_sum(&x, &dy, &conv.window)).unwrap(), sum);
    }
}

/// Patches so large that a plane is split into row blocks, and batches with several samples in one product.
#[test]
fn large_planes_and_many_samples_are_what_loops_say() {
    let conv = |n, i, o, size, window| Conv { n, i, o, size, window, seed: 3 };
    let padded = Window { padding: [[1, 1], [1, 1]], ..Window::new([3, 3]) };
    check_conv2d(&conv(2, 40, 2, [40, 40], padded));
    check_conv2d(&conv(2, 40, 2, [40, 41], Window { dilation: [2, 1], stride: [1, 2], ..padded }));
    check_conv2d(&conv(2, 1, 1, [2, 300], Window { groups: 2, ..padded }));
    check_conv2d(&conv(1, 500, 3, [20, 20], Window::new([1, 1])));
    check_conv2d(&conv(70, 2, 3, [4, 4], padded));
    check_conv2d(&conv(70, 2, 3, [4, 4], Window::new([1, 1])));
}

#[test]
fn padding_that_keeps_the_size_has_its_smaller_half_before() {
    let (x, w, dy) = (numbers(2 * 5 * 6, 1), numbers(2 * 4, 2), numbers(2 * 5 * 6, 3));
    let run = |op: Conv2d| run(&op.dilation([3, 1]), (&x, &[2, 1, 5, 6]), (&w, &[1, 1, 2, 4]), &dy);
    assert_eq!(run(Conv2d::new().padding_same()), run(Conv2d::new().padding_sides([[1, 2], [1, 2]])));
}

/// A pool as PyTorch describes it.
#[derive(Clone, Debug)]
struct Pool {
    n: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    ceil_mode: bool,
    seed: u64,
}

impl Pool {
    /// The number of windows along an axis. It is 0 if the first one does not fit.
    fn positions(&self, axis: usize) -> usize {
        let (size, padding) = (self.size[axis], self.padding[axis]);
        let room = (size + 2 * padding) as f64 - ((self.kernel[axis] - 1) * self.dilation[axis] + 1) as f64;
        if room < 0.0 {
            return 0;
        }
        let steps = room / self.stride[axis] as f64;
        let count = 1 + if self.ceil_mode { steps.ceil() } else { steps.floor() } as usize;
        let outside = self.ceil_mode && (count - 1) * self.stride[axis] >= size + padding;
        if outside { count - 1 } else { count }
    }

    /// The places along an axis that a window reads, including padding, counted from the first entry of the plane.
    fn places(&self, axis: usize, position: usize) -> impl Iterator<Item = i64> {
        let begin = (position * self.stride[axis]) as i64 - self.padding[axis] as i64;
        let dilation = self.dilation[axis] as i64;
        (0..self.kernel[axis] as i64).map(move |k| begin + k * dilation)
    }

    /// For every position, row by row in every plane: the entries of x inside the window in scan order, and the number
    /// of places inside plane and padding.
    fn windows(&self) -> Vec<(Vec<usize>, usize)> {
        let [h, w] = self.size.map(|size| size as i64);
        let padded = |axis: usize, place: i64| place < (self.size[axis] + self.padding[axis]) as i64;
        let mut all = Vec::new();
        for (plane, row, col) in triples(self.n * 2, self.positions(0), self.positions(1)) {
            let (mut inside, mut counted) = (Vec::new(), 0);
            for r in self.places(0, row) {
                for c in self.places(1, col) {
                    counted += usize::from(padded(0, r) && padded(1, c));
                    if (0..h).contains(&r) && (0..w).contains(&c) {
                        inside.push(((plane as i64 * h + r) * w + c) as usize);
                    }
                }
            }
            all.push((inside, counted));
        }
        all
    }
}

prop_compose! {
    fn pools()(
        n in 0usize..4, size in [1usize..9, 1usize..9], kernel in [1usize..5, 1usize..5], dilation in [1usize..4, 1usize..4],
        stride in [1usize..5, 1usize..5], less in [0usize..3, 0usize..3], ceil_mode in any::<bool>(), seed in 0u64..1000,
    ) -> Pool {
        let padding = [0, 1].map(|axis| (kernel[axis] / 2).saturating_sub(less[axis]));
        Pool { n, size, kernel, stride, padding, dilation, ceil_mode, seed }
    }
}

/// The result of a pool and the cotangent of its input. `None` if the pool is rejected.
fn pooled(op: &impl Op, pool: &Pool, x: &[f64], dy: &[f64]) -> Option<[Vec<f64>; 2]> {
    let cpu = Cpu::<f64>::new();
    let [h, w] = pool.size;
    let shape = op.shape(&[&[2, h, w]], &[]).ok()?;
    let (x, dy) = (cpu.upload(x, &[pool.n, 2, h, w]), cpu.upload(dy, &[&[pool.n], &shape[..]].concat()));
    let at = OpContext { arrays: &cpu, inputs: &[&x], parameters: &[] };
    let y = op.forward(&at);
    assert_eq!(cpu.shape(&y)[1..], shape);
    Some([cpu.read(&y).unwrap(), cpu.read(&op.pull(&at, &y, &dy, 0)).unwrap()])
}

proptest! {
    /// Integers are often equal. The derivative goes to the first of equal entries.
    #[test]
    fn max_pool2d_is_what_loops_say(pool in pools()) {
        let windows = pool.windows();
        let (x, dy) = (numbers(pool.n * 2 * size(&pool.size), pool.seed), numbers(windows.len(), 1));
        let op = MaxPool2d::new(pool.kernel).stride(pool.stride).padding(pool.padding).dilation(pool.dilation);
        let got = pooled(&op.ceil_mode(pool.ceil_mode), &pool, &x, &dy);
        let fits = (0..2).all(|axis| {
            let size = pool.size[axis] as i64;
            let shows = |position| pool.places(axis, position).any(|place| (0..size).contains(&place));
            pool.positions(axis) > 0 && (0..pool.positions(axis)).all(shows)
        });
        assert_eq!(got.is_some(), fits);
        let Some(got) = got else { return Ok(()) };
        let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
        for ((inside, _), dy) in windows.iter().zip(&dy) {
            let best = inside.iter().fold(inside[0], |best, &k| if x[k] > x[best] { k } else { best });
            y.push(x[best]);
            dx[best] += dy;
        }
        assert_eq!(got, [y, dx]);
    }

    #[test]
    fn avg_pool2d_is_what_loops_say(pool in pools(), count_include_pad in any::<bool>()) {
        let pool = Pool { dilation: [1, 1], ..pool };
        let windows = pool.windows();
        let (x, dy) = (numbers(pool.n * 2 * size(&pool.size), pool.seed), numbers(windows.len(), 1));
        let op = AvgPool2d::new(pool.kernel).stride(pool.stride).padding(pool.padding).ceil_mode(pool.ceil_mode);
        let got = pooled(&op.count_include_pad(count_include_pad), &pool, &x, &dy);
        assert_eq!(got.is_some(), pool.positions(0) > 0 && pool.positions(1) > 0);
        let Some(got) = got else { return Ok(()) };
        let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
        for ((inside, counted), dy) in windows.iter().zip(&dy) {
            let count = if count_include_pad { *counted } else { inside.len() } as f64;
            y.push(inside.iter().map(|&k| x[k]).sum::<f64>() / count);
            inside.iter().for_each(|&k| dx[k] += dy / count);
        }
        for (got, expected) in got.iter().zip([y, dx]) {
            assert_eq!(got.len(), expected.len());
            got.iter().zip(expected).for_each(|(got, expected)| assert!((got - expected).abs() < 1e-12, "{got}, not {expected}"));
        }
    }
}

#[test]
fn nan_is_the_largest() {
    let pool = Pool {
        n: 1,
        size: [2, 2],
        kernel: [2, 2],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        ceil_mode: false,
        seed: 0,
    };
    let x = [1.0, f64::NAN, 7.0, f64::NAN, -1.0, -3.0, -2.0, -1.0];
    let [y, dx] = pooled(&MaxPool2d::new([2, 2]), &pool, &x, &[1.0, 1.0]).unwrap();
    assert!(y[0].is_nan() && y[1] == -1.0, "{y:?}");
    assert_eq!(dx, [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
}
