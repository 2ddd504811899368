//! Networks with samples.

use tangent_kernels::ops::{Builtin, Case, Op};
use tangent_kernels::{Batch, Model, Real};

use crate::numbers;

/// A network at its parameters, and samples.
pub struct Setup {
    pub name: String,
    pub model: Model,
    pub samples: usize,
    /// For each input its entries, and whether they are row numbers, which do not vary.
    pub inputs: Vec<Vec<f64>>,
    pub whole: Vec<bool>,
}

impl Setup {
    pub fn data<R: Real>(&self) -> Vec<Vec<R>> {
        self.inputs.iter().map(|data| data.iter().map(|&x| R::from_f64(x)).collect()).collect()
    }

    pub fn batches<'a, R: Real>(&self, data: &'a [Vec<R>]) -> Vec<Batch<'a, R>> {
        let shapes = self.model.input_shapes().iter().map(|shape| [&[self.samples], &shape[..]].concat());
        data.iter().zip(shapes).map(|(data, shape)| Batch::new(data, &shape).unwrap()).collect()
    }
}

/// Every op in every case that it is tested with.
pub fn ops() -> impl Iterator<Item = Setup> {
    Builtin::cases().into_iter().map(of_op)
}

fn of_op(case: Case<Builtin>) -> Setup {
    let shapes: Vec<&[usize]> = case.inputs.iter().map(Vec::as_slice).collect();
    let mut model = Model::from_fn(&shapes, |graph, inputs| {
        let weights = case.parameters.iter().enumerate().map(|(k, shape)| {
            if case.buffers.contains(&k) {
                graph.buffer(format!("b{k}"), shape)
            } else {
                graph.parameter(format!("p{k}"), shape)
            }
        });
        let weights = weights.collect::<tangent_kernels::Result<Vec<_>>>()?;
        graph.apply(case.op.clone(), inputs, &weights)
    })
    .unwrap();
    for (k, shape) in case.parameters.iter().enumerate() {
        let count = shape.iter().product();
        let is_buffer = case.buffers.contains(&k);
        let values: Vec<f64> = numbers::<f64>(count, 30 + k as u64);
        let values = values.into_iter().map(|x| if is_buffer { 0.5 + x.abs() } else { x }).collect();
        model.set(&format!("{}{k}", if is_buffer { 'b' } else { 'p' }), shape, values).unwrap();
    }
    let samples = 3;
    let input = |(k, shape): (usize, &Vec<usize>)| {
        let count: usize = samples * shape.iter().product::<usize>();
        match case.whole.iter().find(|(own, _)| *own == k) {
            Some(&(_, bound)) => (0..count).map(|at| ((at * at + 3 * at) % bound) as f64).collect(),
            None => away(numbers(4 * count + 100, 40 + k as u64), count, &case.kinks, case.domain),
        }
    };
    let inputs: Vec<Vec<f64>> = case.inputs.iter().enumerate().map(input).collect();
    let whole = (0..inputs.len()).map(|k| case.whole.iter().any(|(own, _)| *own == k)).collect();
    Setup { name: format!("{:?} on {:?}", case.op, case.inputs), model, samples, inputs, whole }
}

/// The first `count` of numbers between -1 and 1, stretched into `domain` if it is narrow, that keep a distance from kinks.
fn away(list: Vec<f64>, count: usize, kinks: &[f64], [low, high]: [f64; 2]) -> Vec<f64> {
    let into = |x: f64| match [low.is_finite(), high.is_finite()] {
        [true, true] => low + (x + 1.0) / 2.0 * (high - low),
        [true, false] => low + 2.0 * (x + 1.0),
        [false, true] => high - 2.0 * (1.0 - x),
        [false, false] => 2.0 * x,
    };
    let kept = list.into_iter().map(into).filter(|x| kinks.iter().all(|kink| (x - kink).abs() > 0.05));
    let kept: Vec<f64> = kept.take(count).collect();
    assert_eq!(kept.len(), count, "kinks leave too few numbers");
    kept
}

/// The networks of the examples: the paper's MLP, a residual CNN, a transformer.
#[cfg(feature = "rand")]
pub fn examples() -> impl Iterator<Item = Setup> {
    use crate::{attention, network};
    use tangent_kernels::Sequential;
    use tangent_kernels::unary::Tanh;
    let mut mlp = Sequential::ntk(&[784]).mlp_without_bias(&[50, 50, 50, 1], Tanh).build().unwrap();
    mlp.initialise(1).unwrap();
    let sizes = attention::Sizes { words: 7, length: 4, width: 8, heads: 2, blocks: 2 };
    let mut transformer = attention::transformer(sizes).unwrap();
    transformer.initialise(1).unwrap();
    let setup = |name: &str, model: Model, samples: usize, input: Vec<f64>, whole: bool| Setup {
        name: name.into(),
        model,
        samples,
        inputs: vec![input],
        whole: vec![whole],
    };
    let words = (0..5 * 4).map(|k| ((k * k + k) % 7) as f64).collect();
    [
        setup("the paper's MLP", mlp, 6, numbers::<f64>(6 * 784, 1).iter().map(|x| x / 28.0).collect(), false),
        setup("a residual CNN", network::network(2, 1).unwrap(), 3, numbers(3 * 784, 2), false),
        setup("a transformer", transformer, 5, words, true),
    ]
    .into_iter()
}

/// The networks that other programs computed kernels of.
#[cfg(feature = "fixture")]
pub fn fixtures() -> impl Iterator<Item = Setup> {
    use tangent_kernels::io::fixture::Fixture;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    files.sort();
    files.into_iter().map(|file| {
        let fixture = Fixture::read(&file).unwrap();
        // Tables of embeddings take row numbers: whole, and some beyond 1.
        let whole = fixture.input.iter().all(|x| x.fract() == 0.0) && fixture.input.iter().any(|x| *x > 1.0);
        Setup {
            name: file.file_stem().unwrap().to_string_lossy().into_owned(),
            samples: fixture.input_shape[0],
            model: fixture.model,
            inputs: vec![fixture.input],
            whole: vec![whole],
        }
    })
}
