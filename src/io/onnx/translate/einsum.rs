//! Sums over products that are written as letters.

use super::products::of_anything;
use super::shapes::{permuted, reshaped};
use super::sums::sum_over;
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::shape::numel;

/// An operand whose axes have letters.
struct Lettered {
    x: Operand,
    letters: Vec<char>,
}

impl Lettered {
    fn size(&self, letter: char) -> usize {
        self.x.shape[self.letters.iter().position(|&own| own == letter).expect("the letter is there")]
    }

    /// Without the axes whose letters nobody else has: they are summed over.
    fn summed(self, reader: &mut Reader<'_>, wanted: &[char]) -> Result<Self> {
        let axes: Vec<usize> = (0..self.letters.len()).filter(|&k| !wanted.contains(&self.letters[k])).collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let letters = self.letters.iter().copied().filter(|letter| wanted.contains(letter)).collect();
        Ok(Lettered { x: sum_over(reader, &self.x, &axes, false)?, letters })
    }

    /// In this order of its letters.
    fn ordered(&self, reader: &mut Reader<'_>, letters: &[char]) -> Result<Operand> {
        let place = |letter: &char| self.letters.iter().position(|own| own == letter).expect("the letter is there");
        permuted(reader, &self.x, &letters.iter().map(place).collect::<Vec<_>>())
    }
}

pub(super) fn einsum(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let equation: String = call.text("equation").unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    let (left, out) = equation
        .split_once("->")
        .ok_or_else(|| Error::unsupported(format!("the equation '{equation}' without '->'")))?;
    let terms: Vec<Vec<char>> = left.split(',').map(|term| term.chars().collect()).collect();
    let out: Vec<char> = out.chars().collect();
    let operands = call.all()?;
    let once = |letters: &[char]| (1..letters.len()).all(|k| !letters[..k].contains(&letters[k]));
    let plain =
        terms.iter().chain([&out]).all(|letters| letters.iter().all(|c| c.is_ascii_alphabetic()) && once(letters));
    let fit = terms.len() == operands.len() && terms.iter().zip(&operands).all(|(t, x)| t.len() == x.rank());
    if !plain || !fit {
        return Err(Error::unsupported(format!("the equation '{equation}' for {} operands", operands.len())));
    }
    let mut lettered = operands.iter().zip(terms).map(|(&x, letters)| Lettered { x: x.clone(), letters });
    let mut product = lettered.next().expect("there is an operand");
    let rest: Vec<Lettered> = lettered.collect();
    for k in 0..rest.len() {
        let later: Vec<char> = rest[k + 1..].iter().flat_map(|t| t.letters.clone()).chain(out.clone()).collect();
        let other = Lettered { x: rest[k].x.clone(), letters: rest[k].letters.clone() };
        product = multiplied(reader, call, product, other, &later)?;
    }
    let product = product.summed(reader, &out)?;
    if out.iter().any(|letter| !product.letters.contains(letter)) {
        return Err(Error::format(format!("the equation '{equation}' gives a letter that nothing has")));
    }
    product.ordered(reader, &out)
}

/// The product of two, with the letters that are wanted later, as one matrix product.
fn multiplied(reader: &mut Reader<'_>, call: &Call<'_>, a: Lettered, b: Lettered, later: &[char]) -> Result<Lettered> {
    let wanted = |other: &Lettered| -> Vec<char> { later.iter().chain(&other.letters).copied().collect() };
    let (wanted_a, wanted_b) = (wanted(&b), wanted(&a));
    let (a, b) = (a.summed(reader, &wanted_a)?, b.summed(reader, &wanted_b)?);
    let of = |x: &Lettered, keep: &dyn Fn(&char) -> bool| x.letters.iter().copied().filter(keep).collect::<Vec<char>>();
    let stacked = of(&a, &|c| b.letters.contains(c) && later.contains(c));
    let inner = of(&a, &|c| b.letters.contains(c) && !later.contains(c));
    let rows = of(&a, &|c| !b.letters.contains(c));
    let cols = of(&b, &|c| !a.letters.contains(c));
    let sizes = |x: &Lettered, letters: &[char]| letters.iter().map(|&c| x.size(c)).collect::<Vec<usize>>();
    let (ls, li, lr, lc) = (sizes(&a, &stacked), sizes(&a, &inner), sizes(&a, &rows), sizes(&b, &cols));
    let left = a.ordered(reader, &[&stacked[..], &rows, &inner].concat())?;
    let right = b.ordered(reader, &[&stacked[..], &inner, &cols].concat())?;
    // Stacked axes stay apart, the others become one each.
    let shape_a = [&ls[..], &[numel(&lr), numel(&li)]].concat();
    let shape_b = [&ls[..], &[numel(&li), numel(&lc)]].concat();
    let left = reshaped(reader, &left, &shape_a, left.batch_after_reshape(&shape_a))?;
    let right = reshaped(reader, &right, &shape_b, right.batch_after_reshape(&shape_b))?;
    let y = of_anything(reader, call, &left, &right)?;
    let shape = [&ls[..], &lr, &lc].concat();
    let batch = y.batch_after_reshape(&shape);
    let x = reshaped(reader, &y, &shape, batch)?;
    Ok(Lettered { x, letters: [stacked, rows, cols].concat() })
}
