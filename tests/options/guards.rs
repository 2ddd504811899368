//! Rejected kernels: samples that depend on each other, derivatives that are not finite.

use super::*;

/// x minus the mean over the batch. The op declares that it mixes samples if `says` is true.
#[derive(Clone, Debug)]
struct Centre {
    says: bool,
}

impl Op for Centre {
    fn name(&self) -> &'static str {
        "centre"
    }
    fn parse(_: &str, _: &Attributes) -> Option<Result<Self>> {
        None
    }
    fn shape(&self, inputs: &[&[usize]], _: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }
    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let n = at.input_shape(0)[0] as f64;
        let sum = at.arrays.sum(at.inputs[0], &[0]);
        at.arrays.add(at.inputs[0], &at.arrays.affine(&sum, -1.0 / n, 0.0))
    }
    fn pull<B: Arrays>(&self, _: &OpContext<'_, B>, _: &B::Tensor, dy: &B::Tensor, _: usize) -> B::Tensor {
        dy.clone()
    }
    fn mixes_samples(&self) -> Option<&'static str> {
        self.says.then_some("the mean over the batch is subtracted")
    }
    fn cases() -> Vec<Case<Self>> {
        Vec::new()
    }
}

tangent_kernels::ops! {
    /// The crate's ops and one of our own.
    enum Own {
        Builtin(Builtin),
        Centre(Centre),
    }
}

fn centred() -> Model<Own> {
    let mut graph = Graph::<Own>::with_ops(&[&[3]]).unwrap();
    let x = graph.input();
    let weight = graph.parameter("w", &[4, 3]).unwrap();
    let h = graph.linear(x, weight, None).unwrap();
    let h = graph.apply(Centre { says: false }, &[h], &[]).unwrap();
    let y = read_out(&mut graph, h, 2);
    filled(Model::new(graph, y).unwrap())
}

#[test]
fn an_op_that_mixes_samples_is_refused_by_name_before_anything_long() {
    let model = centred();
    let x = numbers(3 * 40, 1);
    let x = Batch::new(&x, &[40, 3]).unwrap();
    let parts = ["centre (op 1)", "other samples of the batch"];
    for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let steps = AtomicUsize::new(0);
        let count = |_: Progress| {
            steps.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Continue(())
        };
        let ntk = session.ntk().method(method).progress(&count);
        says(ntk.compute(&x).unwrap_err(), Error::is_unsupported, &parts);
        assert_eq!(steps.load(Ordering::Relaxed), 0, "{method} computed something");
        // The error persists.
        says(ntk.compute(&x).unwrap_err(), Error::is_unsupported, &parts);
        says(ntk.diagonal(&x).unwrap_err(), Error::is_unsupported, &parts);
    }
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let single: Vec<f32> = x.as_slice().iter().map(|&x| x as f32).collect();
    let error = session.ntk().compute(&Batch::new(&single, &[40, 3]).unwrap()).unwrap_err();
    says(error, Error::is_unsupported, &parts);
}

/// A sum that cancels leaves only rounding errors, which differ between products of other sizes. No sample depends on
/// another.
#[test]
fn results_near_zero_are_not_taken_for_a_mix() {
    let hidden = |read_out: bool| {
        let layers = Sequential::standard(&[200]).linear_without_bias("d1", 50).tanh();
        filled(if read_out { layers.linear_without_bias("d2", 1) } else { layers }.build().unwrap())
    };
    let (features, mut model) = (hidden(false), hidden(true));
    for seed in 0..100 {
        let x: Vec<f32> = numbers(3 * 200, seed).into_iter().map(|x| x as f32 / 8.0).collect();
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        let session = Session::new(&features, Cpu::<f64>::new()).unwrap();
        let h = session.run(&Batch::new(&wide, &[3, 200]).unwrap()).unwrap();
        // A read-out that gives zero for all three samples, but for rounding.
        let mut weights = numbers(50, seed + 3);
        for _ in 0..100 {
            for h in h.chunks_exact(50) {
                let dot = |x: &[f64]| x.iter().zip(h).map(|(x, h)| x * h).sum::<f64>();
                let along = dot(&weights) / dot(h);
                weights.iter_mut().zip(h).for_each(|(w, h)| *w -= along * h);
            }
        }
        model.set("d2.weight", &[1, 50], weights).unwrap();
        let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
        let x = Batch::new(&x, &[3, 200]).unwrap();
        assert!(session.run(&x).unwrap().iter().all(|f| f.abs() < 1e-5));
        session.ntk().compute(&x).unwrap();
    }
}

/// A single sample says nothing about others, along either axis.
#[test]
fn a_single_sample_does_not_prove_independence() {
    let model = centred();
    let x = numbers(3 * 40, 1);
    let x = Batch::new(&x, &[40, 3]).unwrap();
    let parts = ["centre (op 1)", "other samples of the batch"];
    for few in [0, 1] {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        session.ntk().compute(&x.rows(0..few)).unwrap();
        says(session.ntk().compute(&x).unwrap_err(), Error::is_unsupported, &parts);
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        says(session.ntk().between(&x.rows(0..few), &x).unwrap_err(), Error::is_unsupported, &parts);
    }
}

#[test]
fn ops_that_say_that_they_mix_or_draw_are_refused_when_they_are_recorded() {
    let mut graph = Graph::<Own>::with_ops(&[&[3]]).unwrap();
    let x = graph.input();
    let weight = graph.parameter("w", &[3]).unwrap();
    let centre = Centre { says: true };
    says(
        graph.apply(centre.clone(), &[x], &[]).unwrap_err(),
        Error::is_unsupported,
        &["centre", "mean over the batch"],
    );
    says(graph.derive(centre, &[weight]).unwrap_err(), Error::is_unsupported, &["centre", "mean over the batch"]);
    let own = |op: Builtin| Own::from(op);
    let dropout = Dropout { training: true };
    says(graph.apply(own(dropout.into()), &[x], &[]).unwrap_err(), Error::is_unsupported, &["dropout", "at random"]);
    for (planes, shape) in [(false, &[3][..]), (true, &[3, 2, 2])] {
        let mut graph = Graph::new(shape).unwrap();
        let x = graph.input();
        let norm = if planes { BatchNorm::new2d(1e-5) } else { BatchNorm::new1d(1e-5) };
        let statistics = ["mean", "variance"].map(|name| graph.buffer(name, &[3]).unwrap());
        let mut training = norm;
        training.training = true;
        let error = graph.batch_norm(x, training, None, statistics).unwrap_err();
        says(error, Error::is_unsupported, &[norm.name(), "batch"]);
        assert!(graph.batch_norm(x, norm, None, statistics).is_ok());
        assert_eq!(graph.nodes().len(), 1, "what is refused is not recorded");
    }
}

#[test]
fn derivatives_that_are_not_finite_are_an_error_that_names_the_component() {
    let mut graph = Graph::new(&[2]).unwrap();
    let [inner, outer] = parameters(&mut graph, [("inner", &[2, 2]), ("outer", &[2, 2])]);
    let x = graph.input();
    let h = graph.linear(x, inner, None).unwrap();
    let h = graph.unary(Sqrt, h).unwrap();
    let y = graph.linear(h, outer, None).unwrap();
    let mut model = Model::new(graph, y).unwrap();
    model.set("inner", &[2, 2], vec![1.0, 0.5, 0.5, 1.0]).unwrap();
    model.set("outer", &[2, 2], vec![1.0; 4]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let mut x = vec![1.0; 40];
    (x[30], x[31]) = (0.0, 0.0); // sample 15
    let x = Batch::new(&x, &[20, 2]).unwrap();
    for outputs in modes(2) {
        for method in Method::ALL {
            let ntk = session.ntk().outputs(outputs).method(method);
            says(ntk.compute(&x).unwrap_err(), Error::is_value, &["inner is not finite"]);
            let error = ntk.clone().components(false).compute(&x).unwrap_err();
            says(error, Error::is_value, &["not finite"]);
            // The sample may be among the rows or the columns, with any number of the others.
            for few in [1, 3, 15, 16, 20] {
                let few = x.rows(0..few);
                says(ntk.between(&few, &x).unwrap_err(), Error::is_value, &["inner is not finite"]);
                says(ntk.between(&x, &few).unwrap_err(), Error::is_value, &["inner is not finite"]);
            }
            ntk.compute(&x.rows(0..15)).unwrap();
            ntk.clone().parameters(&["outer"]).compute(&x).unwrap();
        }
        let error = session.ntk().outputs(outputs).diagonal(&x).unwrap_err();
        says(error, Error::is_value, &["not finite"]);
    }
}
