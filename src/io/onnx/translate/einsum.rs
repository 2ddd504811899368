//! Sums over products that are written as letters.

use super::pads::padded;
use super::parts::cut;
use super::products::of_anything;
use super::shapes::{permuted, reshaped, squeezed};
use super::sums::sum_over;
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::shape::numel;

/// The name of an axis. Those that an ellipsis stands for are private-use characters, counted from the last axis.
type Letter = char;

fn of_ellipsis(from_last: usize) -> Letter {
    char::from_u32(0xE000 + from_last as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The letters of every operand and of the result.
struct Equation {
    terms: Vec<Vec<Letter>>,
    out: Vec<Letter>,
}

impl Equation {
    fn parse(text: &str, operands: &[&Operand]) -> Result<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let refuse = |why: &str| Error::format(format!("equation '{text}': {why}"));
        let (left, right) = text.split_once("->").map_or((&text[..], None), |(left, right)| (left, Some(right)));
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != operands.len() {
            return Err(refuse(&format!("{} terms for {} operands", terms.len(), operands.len())));
        }
        let mut longest = 0;
        let mut lettered = Vec::new();
        for (term, x) in terms.iter().zip(operands) {
            let named = term.replace("...", "").chars().count();
            let hidden = if term.contains("...") { x.rank().saturating_sub(named) } else { 0 };
            if named + hidden != x.rank() {
                return Err(refuse(&format!("term '{term}' for an operand of shape {:?}", x.shape)));
            }
            longest = longest.max(hidden);
            lettered.push(letters(term, hidden).ok_or_else(|| refuse(&format!("term '{term}' is not readable")))?);
        }
        let out = match right {
            Some(right) => letters(right, longest).ok_or_else(|| refuse("the result is not readable"))?,
            None => implicit(&lettered, longest),
        };
        let known = |letter: &Letter| lettered.iter().flatten().any(|other| other == letter);
        if !out.iter().all(known) || (1..out.len()).any(|k| out[..k].contains(&out[k])) {
            return Err(refuse("the result needs letters of the operands, each once"));
        }
        Ok(Equation { terms: lettered, out })
    }
}

/// The letters of a term whose ellipsis stands for `hidden` axes.
fn letters(term: &str, hidden: usize) -> Option<Vec<Letter>> {
    let ellipsis = || (0..hidden).rev().map(of_ellipsis);
    let parts: Vec<&str> = term.split("...").collect();
    let plain = parts.iter().all(|part| part.chars().all(|c| c.is_ascii_alphabetic()));
    match (plain, &parts[..]) {
        (true, [all]) => Some(all.chars().collect()),
        (true, [before, after]) => Some(before.chars().chain(ellipsis()).chain(after.chars()).collect()),
        _ => None,
    }
}

/// The result's letters where the equation names none: an ellipsis, then those that occur once, sorted.
fn implicit(terms: &[Vec<Letter>], hidden: usize) -> Vec<Letter> {
    let all: Vec<Letter> = terms.concat();
    let once = |letter: &Letter| letter.is_ascii() && all.iter().filter(|other| *other == letter).count() == 1;
    let mut named: Vec<Letter> = all.iter().copied().filter(once).collect();
    named.sort_unstable();
    (0..hidden).rev().map(of_ellipsis).chain(named).collect()
}

/// An operand whose axes have letters, each once.
struct Lettered {
    x: Operand,
    letters: Vec<Letter>,
}

impl Lettered {
    /// Takes the diagonal along the axes of a letter that occurs several times.
    fn new(reader: &mut Reader<'_>, x: &Operand, letters: &[Letter]) -> Result<Self> {
        let mut own = Lettered { x: x.clone(), letters: letters.to_vec() };
        while let Some((first, second)) = own.repeated() {
            own.x = diagonal(reader, &own.x, first, second)?;
            let letter = own.letters.remove(second);
            own.letters.remove(first);
            own.letters.push(letter);
        }
        Ok(own)
    }

    /// Two axes of one letter.
    fn repeated(&self) -> Option<(usize, usize)> {
        let second = (1..self.letters.len()).find(|&k| self.letters[..k].contains(&self.letters[k]))?;
        self.letters[..second].iter().position(|&other| other == self.letters[second]).map(|first| (first, second))
    }

    fn size(&self, letter: Letter) -> usize {
        self.letters.iter().position(|&own| own == letter).map_or(1, |axis| self.x.shape[axis])
    }

    /// Without the axes of size 1 that others stretch it along.
    fn narrowed(mut self, reader: &mut Reader<'_>, size: impl Fn(Letter) -> usize) -> Result<Self> {
        for axis in (0..self.letters.len()).rev() {
            if self.x.shape[axis] == 1 && size(self.letters[axis]) != 1 {
                self.x.sample_axis(axis)?;
                self.x = squeezed(reader, &self.x, axis)?;
                self.letters.remove(axis);
            }
        }
        Ok(self)
    }

    /// Without the axes whose letters nobody else has: they are summed over.
    fn summed(self, reader: &mut Reader<'_>, kept: &[Letter]) -> Result<Self> {
        let axes: Vec<usize> = (0..self.letters.len()).filter(|&k| !kept.contains(&self.letters[k])).collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let letters = self.letters.iter().copied().filter(|letter| kept.contains(letter)).collect();
        Ok(Lettered { x: sum_over(reader, &self.x, &axes, false)?, letters })
    }

    /// In this order of its letters.
    fn ordered(&self, reader: &mut Reader<'_>, letters: &[Letter]) -> Result<Operand> {
        let place = |letter: &Letter| self.letters.iter().position(|own| own == letter).expect("the letter is there");
        permuted(reader, &self.x, &letters.iter().map(place).collect::<Vec<_>>())
    }
}

/// The entries whose numbers along two axes are equal; the common axis is the last one.
fn diagonal(reader: &mut Reader<'_>, x: &Operand, first: usize, second: usize) -> Result<Operand> {
    let size = x.shape[first];
    if x.shape[second] != size {
        return Err(Error::shape(format!("a letter stands for {size} and for {} entries", x.shape[second])));
    }
    x.sample_axis(first)?;
    x.sample_axis(second)?;
    let mut order: Vec<usize> = (0..x.rank()).filter(|axis| ![first, second].contains(axis)).collect();
    order.extend([first, second]);
    let x = permuted(reader, x, &order)?;
    // With `size` more entries in a line, each line of size + 1 begins with an entry of the diagonal.
    let rest = &x.shape[..x.rank() - 2];
    let shape = |last: &[usize]| [rest, last].concat();
    let square = size.checked_mul(size).ok_or_else(|| Error::shape(format!("a diagonal of {size} entries")))?;
    let line = reshaped(reader, &x, &shape(&[square]), x.batch)?;
    let line = padded(reader, &line, &[(rest.len(), [0, size as i64])], 0.0)?;
    let lines = reshaped(reader, &line, &shape(&[size, size + 1]), x.batch)?;
    let column = cut(reader, &lines, rest.len() + 1, 0..1)?;
    reshaped(reader, &column, &shape(&[size]), x.batch)
}

pub(super) fn einsum(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let operands = call.all()?;
    let Equation { terms, out } = Equation::parse(&call.text("equation").unwrap_or_default(), &operands)?;
    let mut all = Vec::with_capacity(operands.len());
    for (x, letters) in operands.iter().zip(&terms) {
        all.push(Lettered::new(reader, x, letters)?);
    }
    let sizes: Vec<(Letter, usize)> =
        all.iter().flat_map(|x| x.letters.iter().copied().zip(x.x.shape.iter().copied())).collect();
    let size = |letter: Letter| sizes.iter().filter(|(other, _)| *other == letter).map(|(_, size)| *size).max();
    let fits = |&(letter, own): &(Letter, usize)| own == 1 || Some(own) == size(letter);
    if !sizes.iter().all(fits) {
        let shapes: Vec<_> = operands.iter().map(|x| &x.shape).collect();
        return Err(Error::shape(format!("shapes {shapes:?} do not fit the equation")));
    }
    let mut narrow = Vec::with_capacity(all.len());
    for x in all {
        narrow.push(x.narrowed(reader, |letter| size(letter).unwrap_or(1))?);
    }
    let mut rest = narrow.into_iter();
    let mut product = rest.next().expect("there is an operand");
    while let Some(other) = rest.next() {
        let later: Vec<Letter> = rest.as_slice().iter().flat_map(|x| x.letters.clone()).chain(out.clone()).collect();
        product = multiplied(reader, product, other, &later)?;
    }
    let product = product.summed(reader, &out)?;
    product.ordered(reader, &out)
}

/// The product of two, with the letters that are needed later, as one matrix product.
fn multiplied(reader: &mut Reader<'_>, a: Lettered, b: Lettered, later: &[Letter]) -> Result<Lettered> {
    let kept = |other: &Lettered| [later, &other.letters].concat();
    let (kept_a, kept_b) = (kept(&b), kept(&a));
    let (a, b) = (a.summed(reader, &kept_a)?, b.summed(reader, &kept_b)?);
    let chosen = |x: &Lettered, keep: &dyn Fn(&Letter) -> bool| -> Vec<Letter> {
        x.letters.iter().copied().filter(keep).collect()
    };
    let stacked = chosen(&a, &|c| b.letters.contains(c) && later.contains(c));
    let inner = chosen(&a, &|c| b.letters.contains(c) && !later.contains(c));
    let rows = chosen(&a, &|c| !b.letters.contains(c));
    let cols = chosen(&b, &|c| !a.letters.contains(c));
    let sizes = |x: &Lettered, letters: &[Letter]| letters.iter().map(|&c| x.size(c)).collect::<Vec<usize>>();
    let (ls, li, lr, lc) = (sizes(&a, &stacked), sizes(&a, &inner), sizes(&a, &rows), sizes(&b, &cols));
    let left = a.ordered(reader, &[&stacked[..], &rows, &inner].concat())?;
    let right = b.ordered(reader, &[&stacked[..], &inner, &cols].concat())?;
    // Stacked axes stay apart, the others become one each.
    let shape_a = [&ls[..], &[numel(&lr), numel(&li)]].concat();
    let shape_b = [&ls[..], &[numel(&li), numel(&lc)]].concat();
    let left = reshaped(reader, &left, &shape_a, left.batch_after_reshape(&shape_a))?;
    let right = reshaped(reader, &right, &shape_b, right.batch_after_reshape(&shape_b))?;
    let y = of_anything(reader, &left, &right)?;
    let shape = [&ls[..], &lr, &lc].concat();
    let batch = y.batch_after_reshape(&shape);
    let x = reshaped(reader, &y, &shape, batch)?;
    Ok(Lettered { x, letters: [stacked, rows, cols].concat() })
}
