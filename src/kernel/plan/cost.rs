//! What every way of contracting a parameter's part costs, counted.

use super::layer::{Layer, Structure};
use crate::backend::Rates;
use crate::kernel::choice::Metric;
use crate::kernel::outputs::{Layout, Seeds};
use crate::kernel::strategy::Strategy;

/// Entries in cache are so many times faster than those that are not.
pub(crate) const IN_CACHE: f64 = 16.0;

/// What is the same for all parameters.
#[derive(Clone, Debug)]
pub(crate) struct Problem<'a> {
    pub layout: &'a Layout,
    /// Samples whose sides are needed: n, or n + m.
    pub samples: f64,
    /// Pairs of samples that are computed: n (n + 1) / 2, or n m.
    pub pairs: f64,
    /// Bytes of a number.
    pub number: f64,
    pub rates: Rates,
}

/// What a way costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Multiplications and additions where gradients are multiplied out, for all samples.
    pub forming: f64,
    /// The same in products of sides, for all pairs of samples.
    pub gram: f64,
    /// Bytes of the sides that are held for all samples.
    pub bytes: f64,
    /// Predicted, on one thread.
    pub seconds: f64,
}

impl Problem<'_> {
    fn seeds(&self) -> f64 {
        self.layout.seeds.len() as f64
    }
    /// Rows of K for a sample.
    fn outputs_per_sample(&self) -> f64 {
        self.layout.outputs_per_sample as f64
    }
    /// Matrices times their outputs squared: products of right sides for a pair of samples.
    fn products(&self) -> f64 {
        self.layout.blocks as f64 * self.outputs_per_sample() * self.outputs_per_sample()
    }
    /// Seeds that are summed over as features.
    fn summed(&self) -> f64 {
        self.seeds() / (self.outputs_per_sample() * self.layout.blocks as f64)
    }

    /// Every way that the layer can go, the cheapest first; of equal ones the simpler.
    pub fn candidates(&self, layer: &Layer, metric: &Metric) -> Vec<(Strategy, Cost)> {
        let mut list: Vec<(Strategy, Cost)> = Strategy::ALL
            .into_iter()
            .filter_map(|strategy| Some((strategy, self.cost(layer, metric, strategy)?)))
            .collect();
        list.sort_by(|(_, one), (_, two)| one.seconds.total_cmp(&two.seconds));
        list
    }

    /// `None` if the layer cannot go that way.
    fn cost(&self, layer: &Layer, metric: &Metric, strategy: Strategy) -> Option<Cost> {
        let plain = matches!(metric, Metric::One | Metric::Uniform(_));
        let sided = plain || (matches!(metric, Metric::RankOne { .. }) && scales_sides(layer));
        match strategy {
            Strategy::Materialise => Some(self.multiply_out(layer)),
            Strategy::ReadOut if plain => self.read_out(layer),
            Strategy::Hadamard if sided && positions(layer)? == 1.0 => self.straight(layer),
            Strategy::PositionPairs if sided && positions(layer)? > 1.0 => self.straight(layer),
            Strategy::Mixed if plain => self.mixed(layer),
            Strategy::Join if plain => self.join(layer),
            _ => None,
        }
    }

    /// Gradients for all samples, then one product.
    fn multiply_out(&self, layer: &Layer) -> Cost {
        let (p, seeds) = (layer.entries as f64, self.seeds());
        let mut forming = 0.0;
        let mut touched = seeds * p;
        for one in &layer.uses {
            match one.structure {
                Structure::Sides { g, t, i, o, .. } => forming += 2.0 * seeds * float(g * t) * float(i) * float(o),
                Structure::Ids { t, o, .. } => touched += seeds * float(t) * float(o),
                // Read in order, from cache.
                Structure::Sum { t, o } => touched += seeds * float(t) * float(o) / IN_CACHE,
                Structure::Rows => touched += seeds * p,
            }
            if !one.direct {
                touched += 2.0 * seeds * p;
            }
        }
        let gram = 2.0 * self.products() * self.summed() * p;
        self.total(Parts { forming, gram, touched, resident: seeds * p, rate: self.rates.product, between: 0.0 })
    }

    /// Region vectors meet themselves only.
    fn read_out(&self, layer: &Layer) -> Option<Cost> {
        let [one] = &layer.uses[..] else { return None };
        if !one.is_seed || !one.direct || !matches!(self.layout.seeds, Seeds::Units(_)) {
            return None;
        }
        let i = match one.structure {
            Structure::Sides { g: 1, t: 1, i, swapped: false, .. } => float(i),
            Structure::Sum { .. } => 0.0,
            _ => return None,
        };
        let rate = self.rates.product;
        Some(self.total(Parts { forming: 0.0, gram: 2.0 * i, touched: 0.0, resident: i, rate, between: 0.0 }))
    }

    /// Products of both sides, use by use.
    fn straight(&self, layer: &Layer) -> Option<Cost> {
        let meetings = layer.meetings.as_ref()?;
        if meetings.iter().any(|m| m.crossed) && self.summed() > 1.0 {
            return None; // outputs cannot be summed over as features where sides swap
        }
        let (mut gram, mut between, mut resident) = (0.0, 0.0, 0.0);
        let mut rate = self.rates.product;
        for one in &layer.uses {
            let Structure::Sides { g, t, i, o, .. } = one.structure else { return None };
            resident += float(g * t) * (float(i) + self.seeds() * float(o));
            if g * t > 1 {
                rate = self.rates.positions;
            }
        }
        for meeting in meetings {
            let [one, two] = meeting.uses.map(|k| layer.uses[k].structure);
            let (Structure::Sides { g, t, i, o, .. }, Structure::Sides { t: u, .. }) = (one, two) else { return None };
            let (g, t, u, i, o) = (float(g), float(t), float(u), float(i), float(o));
            if meeting.crossed {
                gram += 4.0 * self.outputs_per_sample() * i;
                between += self.products();
            } else if t * u * g == 1.0 {
                gram += 2.0 * (i + self.products() * self.summed() * o);
                between += self.products();
            } else if self.layout.outputs_per_sample == 1 {
                let blocks = self.layout.blocks as f64;
                gram += 2.0 * g * t * u * blocks * (i + self.summed() * o);
                between += 2.0 * g * t * u * blocks;
            } else {
                let outputs_per_sample = self.outputs_per_sample();
                gram += 2.0
                    * g
                    * (t * u * i + outputs_per_sample * t * u * o + outputs_per_sample * outputs_per_sample * t * o);
                between += g * outputs_per_sample * t * o;
            }
        }
        Some(self.total(Parts { forming: 0.0, gram, touched: 0.0, resident, rate, between }))
    }

    /// Gradients of one side, both sides of the other.
    fn mixed(&self, layer: &Layer) -> Option<Cost> {
        let [one] = &layer.uses[..] else { return None };
        let Structure::Sides { g: 1, t, i, o, swapped: false } = one.structure else { return None };
        layer.meetings.as_ref()?;
        // The gradients are the parameter's, in its order; the sides are those of the weight that was made of it.
        if t == 1 || !one.direct {
            return None;
        }
        let out = self.multiply_out(layer);
        let (t, i, o) = (float(t), float(i), float(o) * self.summed());
        let (outputs_per_sample, blocks) = (self.outputs_per_sample(), self.layout.blocks as f64);
        let gram = 2.0 * blocks * (t * i * outputs_per_sample * o + outputs_per_sample * outputs_per_sample * t * o);
        let resident = self.seeds() * layer.entries as f64 + t * (i + self.seeds() * float(one_o(one.structure)));
        let mixed = Parts {
            forming: out.forming / self.samples.max(1.0),
            gram,
            touched: resident,
            resident,
            rate: self.rates.positions,
            between: blocks * outputs_per_sample * t * o,
        };
        Some(self.total(mixed))
    }

    /// As many rows of the table as two samples have in common, were they drawn evenly.
    fn join(&self, layer: &Layer) -> Option<Cost> {
        let meetings = layer.meetings.as_ref()?;
        let (mut touched, mut gram) = (0.0, 0.0);
        for one in &layer.uses {
            let Structure::Ids { t, o, .. } = one.structure else { return None };
            touched += 4.0 * self.seeds() * float(t) * float(o);
        }
        for meeting in meetings {
            let [one, two] = meeting.uses.map(|k| layer.uses[k].structure);
            let (Structure::Ids { t, o, rows }, Structure::Ids { t: u, .. }) = (one, two) else { return None };
            let (t, u, rows) = (float(t), float(u), float(rows.max(1)));
            gram += 2.0 * (t * u / rows).min(t.min(u)) * self.products() * self.summed() * float(o);
        }
        let resident = touched / 4.0;
        Some(self.total(Parts { forming: 0.0, gram, touched, resident, rate: self.rates.positions, between: 0.0 }))
    }

    fn total(&self, parts: Parts) -> Cost {
        let Parts { forming, gram, touched, resident, rate, between } = parts;
        let seconds = self.samples * (forming / self.rates.forming + touched / self.rates.entries)
            + self.pairs * (gram / rate + between / (IN_CACHE * self.rates.entries));
        Cost {
            forming: forming * self.samples,
            gram: gram * self.pairs,
            bytes: resident * self.samples * self.number,
            seconds,
        }
    }
}

/// Costs of a way: for a sample, and for a pair of samples.
struct Parts {
    /// Flops for a sample.
    forming: f64,
    /// Flops for a pair, and at what rate.
    gram: f64,
    rate: f64,
    /// Entries touched for a sample.
    touched: f64,
    /// Entries held for a sample.
    resident: f64,
    /// Entries touched in cache for a pair.
    between: f64,
}

/// The positions of a layer whose uses all have sides; the most of them.
fn positions(layer: &Layer) -> Option<f64> {
    let of = |structure: &Structure| match structure {
        Structure::Sides { g, t, .. } => Some(float(g * t)),
        _ => None,
    };
    layer.uses.iter().map(|one| of(&one.structure)).try_fold(0.0, |most: f64, t| Some(most.max(t?)))
}

/// Can a metric of rank one be put into the sides?
fn scales_sides(layer: &Layer) -> bool {
    layer.uses.iter().all(|one| one.direct && matches!(one.structure, Structure::Sides { swapped: false, .. }))
}

fn one_o(structure: Structure) -> usize {
    if let Structure::Sides { o, .. } = structure { o } else { 0 }
}

fn float(size: usize) -> f64 {
    size as f64
}
