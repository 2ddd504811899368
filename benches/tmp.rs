use std::time::Instant;
use tangent_kernels::backend::{Arrays, Cpu, Window};
use tangent_kernels::unary::{Order, Relu, Unary};
fn best(mut f: impl FnMut()) -> f64 {
    f();
    let mut b = f64::MAX;
    for _ in 0..60 {
        let t = Instant::now();
        f();
        b = b.min(t.elapsed().as_secs_f64());
    }
    b
}
fn main() {
    let cpu = Cpu::<f32>::new();
    let num = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        let d: Vec<f32> = (0..n).map(|k| ((k * 7919) % 101) as f32 / 101.0 - 0.5).collect();
        cpu.upload(&d, shape)
    };
    let a = num(&[768, 768]);
    let b = num(&[768, 768]);
    let t = best(|| {
        std::hint::black_box(cpu.matmul(&a, false, &b, true));
    });
    let peak = 2.0 * 768f64.powi(3) / t / 1e9;
    println!("peak {peak:.1}");
    let w = Window { padding: [[1, 1], [1, 1]], ..Window::new([3, 3]) };
    let n = 5;
    let mut total = 0.0;
    let mut flops = 0.0;
    for (i, o, side) in [(3usize, 32usize, 32usize), (32, 64, 16), (64, 64, 8)] {
        let x = num(&[n, i, side, side]);
        let k = num(&[o, i, 3, 3]);
        let dy = num(&[n, o, side, side]);
        let dys = num(&[n, 1, o, side, side]);
        let dys10 = num(&[n, 10, o, side, side]);
        let f = 2.0 * (n * o * i * 9 * side * side) as f64;
        let fw = best(|| {
            std::hint::black_box(cpu.convolve(&x, &k, &w));
        });
        let bi = best(|| {
            std::hint::black_box(cpu.convolve_input(&dy, &k, &w, [side, side]));
        });
        let bw = best(|| {
            std::hint::black_box(cpu.convolve_weight(&x, &dys, &w));
        });
        let bw10 = best(|| {
            std::hint::black_box(cpu.convolve_weight(&x, &dys10, &w));
        });
        println!(
            "conv {i} {o} {side}: fwd {:.1} input {:.1} weight {:.1} weight10 {:.1} GF/s   us/sample {:.1} {:.1} {:.1} {:.1}",
            f / fw / 1e9,
            f / bi / 1e9,
            f / bw / 1e9,
            10.0 * f / bw10 / 1e9,
            fw / n as f64 * 1e6,
            bi / n as f64 * 1e6,
            bw / n as f64 * 1e6,
            bw10 / n as f64 * 1e6
        );
        let r = best(|| {
            std::hint::black_box(cpu.apply(Unary::from(Relu), &dy));
        });
        let rd = best(|| {
            std::hint::black_box(cpu.apply_derivative(Unary::from(Relu), Order::First, &dy, &dy, &dy));
        });
        let pw = Window { stride: [2, 2], ..Window::new([2, 2]) };
        let p = best(|| {
            std::hint::black_box(cpu.window_sum(&dy, &pw));
        });
        let half = num(&[n, o, side / 2, side / 2]);
        let s = best(|| {
            std::hint::black_box(cpu.window_spread(&half, &pw, [side, side]));
        });
        let sc = best(|| {
            std::hint::black_box(cpu.affine(&half, 0.25, 0.0));
        });
        println!(
            "   relu {:.1} relu' {:.1} pool {:.1} spread {:.1} affine {:.1} us/sample",
            r / n as f64 * 1e6,
            rd / n as f64 * 1e6,
            p / n as f64 * 1e6,
            s / n as f64 * 1e6,
            sc / n as f64 * 1e6
        );
        total += fw + bw + r + rd + p + s + 2.0 * sc + if i > 3 { bi } else { 0.0 };
        flops += f * if i > 3 { 3.0 } else { 2.0 };
    }
    println!("passes: {:.1} GF/s = {:.2}", flops / total / 1e9, flops / total / 1e9 / peak);
    for m in [63usize, 96, 192] {
        let a = num(&[m, 36864]);
        let t = best(|| {
            std::hint::black_box(cpu.matmul(&a, false, &a, true));
        });
        println!("gram {m}: {:.1}", 2.0 * (m * m * 36864) as f64 / t / 1e9);
    }
}
