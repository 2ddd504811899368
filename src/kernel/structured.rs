//! The structured way: panels straight from factors, with no Jacobian in between.

use super::outputs::{Layout, Seeds};
use super::pack;
use super::recipe::Entry;
use crate::backend::{Arrays, Panels, RightPanel};
use crate::batch::Batch;
use crate::error::Result;
use crate::factor::{Factor, Left};
use crate::model::Session;
use crate::ops::Op;
use crate::tape::{Swept, SweptRight, Use, Wanted};

/// How the Gram of a use of a parameter is contracted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Products of both sides over all pairs of positions, multiplied: no gradient is formed.
    PairPositions,
    /// Per-sample gradients multiplied out, then one product.
    MultiplyOut,
}

/// The panels of the samples `x`, and the entries that tell what they are for. The entries are the same for every block
/// of samples.
pub(crate) fn panels<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    layout: &Layout,
    x: &Batch<'_, B::Number>,
) -> Result<(Panels<B::Tensor>, Vec<Entry>)> {
    let arrays = session.arrays();
    let tape = session.tape_of(x);
    let uses = tape.uses()?;
    let sweeps: Vec<_> = layout.seeds.on(&tape).iter().map(|seed| tape.sweep(seed, Wanted::PARAMETERS)).collect();
    let ways = ways(arrays, layout, &uses, &sweeps);
    let mut packer =
        Packer { arrays, layout, sweeps: &sweeps, lefts: Vec::new(), rights: Vec::new(), keys: Vec::new() };
    let mut entries = Vec::new();
    for (k, one_use) in uses.iter().enumerate() {
        if sweeps.iter().all(|swept| swept.rights[k].is_none()) {
            continue; // no output depends on this use: it adds nothing
        }
        entries.push(packer.add(k, one_use, ways[k], meets_others(&uses, one_use.node)));
    }
    let Packer { lefts, rights, .. } = packer;
    Ok((Panels { samples: x.samples(), lefts, rights }, entries))
}

/// Is a parameter of this node used elsewhere too?
fn meets_others<B: Arrays>(uses: &[Use<B>], node: usize) -> bool {
    let count = |parameter| uses.iter().filter(|other| other.parameter == parameter).count();
    uses.iter().any(|own| own.node == node && count(own.parameter) > 1)
}

/// The cheaper way for every use, by the multiplications for a pair of samples. All uses of a parameter go one way,
/// since every pair of them is multiplied; uses of unlike forms only meet as multiplied-out rows.
fn ways<B: Arrays>(arrays: &B, layout: &Layout, uses: &[Use<B>], sweeps: &[Swept<B>]) -> Vec<Way> {
    let costs: Vec<[usize; 2]> = (0..uses.len())
        .map(|k| match (&uses[k].left, sweeps.iter().find_map(|swept| swept.rights[k].as_ref())) {
            (Left::Features(a), Some(right)) => {
                let (t, i) = (arrays.shape(a)[1], arrays.shape(a)[2]);
                pair_costs(t, i, arrays.shape(&right.array)[2], layout)
            }
            _ => [0, 0],
        })
        .collect();
    uses.iter()
        .map(|one| {
            let own = || costs.iter().zip(uses).filter(|(_, other)| other.parameter == one.parameter);
            let alike = own().all(|(_, other)| matches!(other.left, Left::Features(_)));
            let total = |way: usize| own().fold(0usize, |sum, (cost, _)| sum.saturating_add(cost[way]));
            if alike && total(0) <= total(1) { Way::PairPositions } else { Way::MultiplyOut }
        })
        .collect()
}

/// Multiplications for a pair of samples with t positions, i features in and o out: pairing positions, and multiplying
/// out. With one position the products of vectors are always taken: gradients are then never formed.
fn pair_costs(t: usize, i: usize, o: usize, layout: &Layout) -> [usize; 2] {
    if t == 1 {
        return [0, 1];
    }
    let (seeds, inner, blocks) = (layout.seeds.len(), layout.inner, layout.blocks);
    let features = seeds / (inner * blocks) * o;
    let products = (inner * inner * blocks).saturating_mul(features);
    let positions = t.saturating_mul(t);
    let pairs = positions.saturating_mul(i.saturating_add(products).saturating_add(inner * inner * blocks));
    [pairs, products.saturating_mul(i)]
}

/// What a packed right side is made of: two uses with equal keys share it.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    /// The cotangent at a node's result, positions and all.
    Cotangent { node: usize },
    /// The same, summed over positions.
    Summed { node: usize },
    /// Of one use alone.
    Own { index: usize },
}

struct Packer<'a, B: Arrays> {
    arrays: &'a B,
    layout: &'a Layout,
    sweeps: &'a [Swept<B>],
    lefts: Vec<B::Tensor>,
    rights: Vec<RightPanel<B::Tensor>>,
    keys: Vec<Key>,
}

impl<B: Arrays> Packer<'_, B> {
    fn add(&mut self, k: usize, one_use: &Use<B>, way: Way, tied: bool) -> Entry {
        let first =
            self.sweeps.iter().find_map(|swept| swept.rights[k].as_ref()).expect("an output depends on the use");
        let (cotangent, t) = (first.is_cotangent, self.arrays.shape(&first.array)[1]);
        let (left, key) = match (&one_use.left, way) {
            (Left::Features(a), Way::PairPositions) => (Some(a), Key::Cotangent { node: one_use.node }),
            (Left::Features(_), Way::MultiplyOut) => (None, Key::Own { index: k }),
            (Left::Ones, _) if t > 1 => (None, Key::Summed { node: one_use.node }),
            (Left::Ones, _) => (None, Key::Cotangent { node: one_use.node }),
        };
        let key = if cotangent { key } else { Key::Own { index: k } };
        let left = left.map(|a| {
            self.lefts.push(a.clone());
            self.lefts.len() - 1
        });
        let right = self.keys.iter().position(|own| *own == key).unwrap_or_else(|| {
            // A unit vector needs no product, but only meets itself: a tied parameter's uses meet each other.
            let unit = !tied && key == Key::Cotangent { node: one_use.node } && self.is_unit(k);
            let panel = if unit { RightPanel::Unit } else { RightPanel::Array(self.pack(k, one_use, left.is_none())) };
            self.rights.push(panel);
            self.keys.push(key);
            self.rights.len() - 1
        });
        Entry { parameter: one_use.parameter, left, right }
    }

    /// Is the right side of every seed c the c-th unit vector?
    fn is_unit(&self, k: usize) -> bool {
        let seeds = self.sweeps.iter().map(|swept| swept.rights[k].as_ref());
        matches!(self.layout.seeds, Seeds::Units(_)) && seeds.into_iter().all(|r| r.is_some_and(|r| r.is_seed))
    }

    /// The right sides of all seeds; gradients multiplied out where no left side stands beside them.
    fn pack(&self, k: usize, one_use: &Use<B>, multiply_out: bool) -> B::Tensor {
        let found =
            self.sweeps.iter().find_map(|swept| swept.rights[k].as_ref()).expect("an output depends on the use");
        let zeros = || self.arrays.full(0.0, self.arrays.shape(&found.array));
        let side = |right: &Option<SweptRight<B>>| {
            let right = right.as_ref().map_or_else(zeros, |right| right.array.clone());
            if !multiply_out {
                return right;
            }
            let rows = Factor::new(one_use.left.clone(), right).jacobian(self.arrays);
            let shape = self.arrays.shape(&rows);
            self.arrays.reshape(&rows, &[shape[0], 1, shape[1]])
        };
        let list: Vec<B::Tensor> = self.sweeps.iter().map(|swept| side(&swept.rights[k])).collect();
        pack::rights(self.arrays, self.layout, &list)
    }
}
