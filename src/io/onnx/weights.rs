//! Weights: constants as parameters and buffers of the model, and their names.

use std::rc::Rc;

use super::array::Array;
use super::operand::{Derived, Is, Operand, Source};
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::ops::{Linear, Reshape, Scale, Slice};
use crate::shape::numel;
use crate::tape::Parameter;

impl Reader<'_> {
    /// A constant as if every sample had it, its numbers being those of `weight`: the bias of a linear map that is zero.
    pub fn broadcast_over_samples(&mut self, x: &Operand, weight: Parameter) -> Result<Operand> {
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

    /// Warns of a weight without a name of its own, as an exporter leaves it that folded something into it.
    pub fn note_folding(&mut self, weight: &Operand) {
        if !self.parameters.known && weight.tensor().is_some_and(is_unnamed) {
            self.warnings.push(format!(
                "the weight of {} has no name of its own, so the exporter folded something into it: if that is a batch norm, \
                 or if the weight is used elsewhere too, the kernel is another network's; export with optimize=False, or \
                 with do_constant_folding=False and training=PRESERVE",
                self.at
            ));
        }
    }

    /// A constant as a weight: parameters where it is made of parameters, buffers otherwise. In the role `role` of the
    /// node that is read, if it has no name of its own.
    ///
    /// # Errors
    /// It depends on the samples.
    pub fn weight(&mut self, x: &Operand, role: &str) -> Result<Parameter> {
        let path = self.path.clone();
        self.weight_at(x, &path, role)
    }

    /// As [`weight`](Reader::weight), where an unnamed weight is named by another path.
    pub fn weight_at(&mut self, x: &Operand, path: &str, role: &str) -> Result<Parameter> {
        let Is::Constant(array, source) = &x.is else {
            return Err(Error::unsupported(format!("its {role} depends on the samples, where it must be fixed")));
        };
        let weight = match source {
            None => self.held("", array, &format!("{path}.{role}"), false)?,
            Some(source) => match &**source {
                Source::Derived(derived) => self.derived_weight(source, derived, path, role)?,
                Source::Tensor { name, trainable } => self.held(name, array, &format!("{path}.{role}"), *trainable)?,
            },
        };
        if self.graph.weight_shape(weight.0) == x.shape {
            return Ok(weight);
        }
        self.graph.derive(Reshape::new(&x.shape[..]), &[weight])
    }

    /// A constant as a buffer, under its name, also if it is called a parameter.
    ///
    /// # Errors
    /// It depends on the samples.
    pub fn buffer(&mut self, x: &Operand, role: &str) -> Result<Parameter> {
        let name = x.tensor().map(Rc::from);
        let source = name.map(|name| Rc::new(Source::Tensor { name, trainable: false }));
        match &x.is {
            Is::Constant(array, _) => {
                self.weight(&Operand { is: Is::Constant(array.clone(), source), ..x.clone() }, role)
            }
            _ => self.weight(x, role),
        }
    }

    /// The result of an op on constants: of the parameters that it is computed from, each once.
    fn derived_weight(&mut self, source: &Rc<Source>, derived: &Derived, path: &str, role: &str) -> Result<Parameter> {
        if let Some((_, there)) = self.derived.get(&Rc::as_ptr(source)) {
            return Ok(*there);
        }
        let parts = derived.from.iter().map(|part| self.weight_at(part, path, role)).collect::<Result<Vec<_>>>()?;
        let weight = self.graph.derive(derived.op.clone(), &parts)?;
        self.derived.insert(Rc::as_ptr(source), (source.clone(), weight));
        Ok(weight)
    }

    /// The numbers of the tensor `tensor` of the file, or of none, as a weight; without a name of its own it is called
    /// `substitute`.
    fn held(&mut self, tensor: &str, array: &Rc<Array>, substitute: &str, trainable: bool) -> Result<Parameter> {
        let key = (tensor.to_string(), trainable);
        if let Some(&there) = self.weights.get(&key).filter(|_| !tensor.is_empty()) {
            return Ok(there);
        }
        let name = self.free_name(if is_unnamed(tensor) { substitute } else { tensor });
        let weight = if trainable {
            self.graph.parameter(&name, &array.shape)?
        } else {
            self.graph.buffer(&name, &array.shape)?
        };
        self.values.push((name, array.clone()));
        self.weights.insert(key, weight);
        Ok(weight)
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

/// Whether a tensor has a name that only the exporter knows.
pub(super) fn is_unnamed(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = name.trim_start_matches('_').strip_prefix("val_");
    name.is_empty() || name.contains("::") || number(name) || counted.is_some_and(number)
}
