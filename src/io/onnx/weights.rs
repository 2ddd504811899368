//! Weights: which constants are parameters of the network, under which names, and which are buffers.

use std::rc::Rc;

use super::array::Array;
use super::call::Call;
use super::operand::{Is, Operand, Source};
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::ops::{Linear, Reshape, Scale, Slice};
use crate::shape::numel;
use crate::tape::Parameter;

impl Reader<'_> {
    /// A constant as if every sample had it, its numbers being those of `weight`: the bias of a linear map that is zero.
    pub fn poured(&mut self, x: &Operand, weight: Parameter) -> Result<Operand> {
        let entries = numel(&x.shape);
        let flat = self.graph.flatten(self.graph.input())?;
        let first = self.graph.apply(Slice { axis: 0, range: 0..1 }, &[flat], &[])?;
        let nothing = self.graph.apply(Scale { factor: 0.0 }, &[first], &[])?;
        let zeros = self.free_name(&format!("zeros {entries}"));
        let zeros = self.graph.buffer_filled(zeros, &[entries, 1], 0.0)?;
        let numbers = self.graph.derive(Reshape::new([entries]), &[weight])?;
        let value = self.graph.apply(Linear, &[nothing], &[zeros, numbers])?;
        Ok(Operand { is: Is::Sample(value), ..x.clone() })
    }

    /// A constant that no node takes as its weight: a buffer, or a parameter if the caller asked for that.
    pub fn settled(&mut self, x: &Operand) -> Result<Parameter> {
        if self.is_also(x) {
            return self.weight(x, "", "", true);
        }
        let names = x.initialisers();
        let named = names.iter().filter(|name| !is_unnamed(name) && x.scalar().is_none());
        self.warnings.extend(
            named.map(|name| format!("initialiser '{name}' at {} is taken as a constant, not as a parameter", self.at)),
        );
        let Is::Constant(array, _) = &x.is else { return Err(Error::unsupported("it depends on the samples")) };
        let name = self.free_name(&format!("constant {:?}", array.shape));
        let buffer = self.graph.buffer(&name, &array.shape)?;
        self.values.push((name, array.clone()));
        if array.shape == x.shape { Ok(buffer) } else { self.graph.derive(Reshape::new(&x.shape[..]), &[buffer]) }
    }

    /// Tells if a convolution's weight has no name of its own, as when an exporter folded a batch norm into it.
    pub fn note_folding(&mut self, weight: &Operand) {
        if weight.initialiser().is_some_and(is_unnamed) {
            self.warnings.push(format!(
                "the weight of {} has no name of its own: if the exporter folded a batch norm into it, the kernel is another \
                 network's; export without (optimize=False, or do_constant_folding=False and training=PRESERVE)",
                self.at
            ));
        }
    }

    /// Whether the caller asked for an initialiser as a parameter wherever it is used.
    pub fn is_also(&self, x: &Operand) -> bool {
        x.initialisers().iter().any(|name| self.also.iter().any(|pattern| crate::kernel::fits(pattern, name)))
    }

    /// A constant as a weight of `call`, a parameter of the network, in the role `role` if it has no name of its own.
    ///
    /// # Errors
    /// It depends on the samples.
    pub fn parameter(&mut self, x: &Operand, call: &Call<'_>, role: &str) -> Result<Parameter> {
        self.weight(x, &call.path(), role, true)
    }

    /// A constant as a weight of `call` that is no parameter of the network.
    ///
    /// # Errors
    /// It depends on the samples.
    pub fn buffer(&mut self, x: &Operand, call: &Call<'_>, role: &str) -> Result<Parameter> {
        self.weight(x, &call.path(), role, false)
    }

    fn weight(&mut self, x: &Operand, path: &str, role: &str, trained: bool) -> Result<Parameter> {
        let Is::Constant(array, source) = &x.is else {
            return Err(Error::unsupported(format!("its {role} depends on the samples, where it must be fixed")));
        };
        let weight = match source {
            Some(source) if trained => self.of_source(source, array, path, role)?,
            Some(source) => match &**source {
                Source::Initialiser(name) => self.held(name, array, path, role, trained)?,
                Source::Made(_) => self.held("", array, path, role, trained)?,
            },
            None => self.held("", array, path, role, trained)?,
        };
        if self.graph.weight_shape(weight.0) == x.shape {
            return Ok(weight);
        }
        self.graph.derive(Reshape::new(&x.shape[..]), &[weight])
    }

    /// What an op makes of initialisers is of them, each once; whatever else goes in is fixed.
    fn of_source(&mut self, source: &Rc<Source>, array: &Rc<Array>, path: &str, role: &str) -> Result<Parameter> {
        let made = match &**source {
            Source::Initialiser(name) => return self.held(name, array, path, role, true),
            Source::Made(made) => made,
        };
        if let Some((_, there)) = self.made.get(&Rc::as_ptr(source)) {
            return Ok(*there);
        }
        let parts = made.from.iter().map(|part| self.weight(part, path, role, part.source().is_some()));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        let weight = self.graph.derive(made.op.clone(), &parts)?;
        self.made.insert(Rc::as_ptr(source), (source.clone(), weight));
        Ok(weight)
    }

    /// The numbers of the file's initialiser `own`, or some that have no name, as a weight.
    fn held(&mut self, own: &str, array: &Rc<Array>, path: &str, role: &str, trained: bool) -> Result<Parameter> {
        let key = (own.to_string(), trained);
        if let Some(&there) = self.weights.get(&key).filter(|_| !own.is_empty()) {
            return Ok(there);
        }
        let name = if is_unnamed(own) { format!("{path}.{role}") } else { own.to_string() };
        let name = self.free_name(&name);
        let weight = match trained {
            true => self.graph.parameter(&name, &array.shape)?,
            false => self.graph.buffer(&name, &array.shape)?,
        };
        self.values.push((name, array.clone()));
        self.weights.insert(key, weight);
        Ok(weight)
    }

    /// As [`parameter`](Reader::parameter) for the weight or bias of a norm: `None` for what an exporter puts in the
    /// place of one that there is not, ones or zeros without a name.
    pub fn of_norm(&mut self, x: &Operand, call: &Call<'_>, role: &str) -> Result<Parameter> {
        let Some(name) = x.initialiser().map(String::from) else {
            return self.weight(x, &call.path(), role, x.source().is_some());
        };
        let array = x.array().expect("an initialiser is a constant");
        let filled = |with: f64| array.values.iter().all(|&value| value == with);
        if is_unnamed(&name) && (filled(0.0) || filled(1.0)) {
            return self.buffer(x, call, role);
        }
        match self.norms.get(&name) {
            Some(other) if other != call.name() => self.warnings.push(format!(
                "initialiser '{name}' is the {role} of the norms '{other}' and '{}': if they are two parameters of equal \
                 values, the exporter made them one; perturb them, or train, before exporting",
                call.name()
            )),
            _ => {
                self.norms.insert(name, call.name().to_string());
            }
        }
        self.parameter(x, call, role)
    }

    /// A buffer of one number.
    pub fn number(&mut self, value: f64) -> Result<Parameter> {
        let name = format!("number {value:?}");
        match self.graph.find_parameter(&name) {
            Some(number) => Ok(number),
            None => self.graph.buffer_filled(name, &[1], value),
        }
    }

    fn free_name(&self, name: &str) -> String {
        let numbered = (2..).map(|k| format!("{name}.{k}"));
        let mut names = std::iter::once(name.to_string()).chain(numbered);
        names.find(|name| self.graph.find_parameter(name).is_none()).expect("one is free")
    }
}

/// Whether an initialiser has a name that only the exporter knows.
fn is_unnamed(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = name.trim_start_matches('_').strip_prefix("val_");
    name.is_empty() || name.contains("::") || number(name) || counted.is_some_and(number)
}
