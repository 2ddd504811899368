//! Counts the cost of every strategy for a parameter's part.

use super::layer::{Layer, Structure};
use crate::backend::Rates;
use crate::kernel::metric::Metric;
use crate::kernel::outputs::{Layout, Seeds};
use crate::kernel::strategy::Strategy;

/// The ratio of the speed of entries in cache to that of entries in memory.
pub(crate) const IN_CACHE: f64 = 16.0;

/// The data that all parameters share.
#[derive(Clone, Debug)]
pub(crate) struct Problem<'a> {
    pub layout: &'a Layout,
    /// Samples whose operands are needed: n, or n + m.
    pub samples: f64,
    /// Pairs of samples to compute: n (n + 1) / 2, or n m.
    pub pairs: f64,
    /// The bytes per number.
    pub number: f64,
    pub rates: Rates,
}

/// The cost of a strategy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Flops of materialising gradients, for all samples.
    pub forming: f64,
    /// Flops of products of operands, for all pairs of samples.
    pub gram: f64,
    /// Bytes of the operands in memory, for all samples.
    pub bytes: f64,
    /// Predicted seconds on one thread.
    pub seconds: f64,
}

impl Problem<'_> {
    fn seeds(&self) -> f64 {
        self.layout.seeds.len() as f64
    }
    /// Rows of K per sample.
    fn outputs_per_sample(&self) -> f64 {
        self.layout.outputs_per_sample as f64
    }
    /// Products of output gradients per pair of samples: matrices times their outputs squared.
    fn products(&self) -> f64 {
        self.layout.blocks as f64 * self.outputs_per_sample() * self.outputs_per_sample()
    }
    /// Seeds that are concatenated as features, so that their sum is part of a product.
    fn summed(&self) -> f64 {
        self.seeds() / (self.outputs_per_sample() * self.layout.blocks as f64)
    }

    /// All strategies that the layer allows, the cheapest first. The order of equal ones is that of [`Strategy::ALL`].
    pub fn candidates(&self, layer: &Layer, metric: &Metric) -> Vec<(Strategy, Cost)> {
        let mut candidates: Vec<(Strategy, Cost)> = Strategy::ALL
            .into_iter()
            .filter_map(|strategy| Some((strategy, self.cost(layer, metric, strategy)?)))
            .collect();
        candidates.sort_by(|(_, first), (_, second)| first.seconds.total_cmp(&second.seconds));
        candidates
    }

    /// The cost of a strategy; `None` if the layer does not allow it.
    fn cost(&self, layer: &Layer, metric: &Metric, strategy: Strategy) -> Option<Cost> {
        let plain = matches!(metric, Metric::One | Metric::Uniform(_));
        let scalable = plain || (matches!(metric, Metric::RankOne { .. }) && scales_operands(layer));
        match strategy {
            Strategy::Materialise => Some(self.materialise(layer)),
            Strategy::ReadOut if plain => self.read_out(layer),
            Strategy::Hadamard if scalable && positions(layer)? == 1.0 => self.use_pairs(layer),
            Strategy::PositionPairs if scalable && positions(layer)? > 1.0 => self.use_pairs(layer),
            Strategy::Mixed if plain => self.mixed(layer),
            Strategy::Join if plain => self.join(layer),
            _ => None,
        }
    }

    /// Gradients of all samples, then one product.
    fn materialise(&self, layer: &Layer) -> Cost {
        let p = layer.entries as f64;
        let seeds = self.seeds();
        let mut forming = 0.0;
        let mut touched = seeds * p;
        for layer_use in &layer.uses {
            match layer_use.structure {
                Structure::Sides { g, t, i, o, .. } => forming += 2.0 * seeds * float(g * t) * float(i) * float(o),
                Structure::Ids { t, o, .. } => touched += seeds * float(t) * float(o),
                // Read in order, from cache.
                Structure::Sum { t, o } => touched += seeds * float(t) * float(o) / IN_CACHE,
                Structure::Rows => touched += seeds * p,
            }
            if !layer_use.direct {
                touched += 2.0 * seeds * p;
            }
        }
        let gram = 2.0 * self.products() * self.summed() * p;
        self.total(UnitCosts { forming, gram, touched, resident: seeds * p, rate: self.rates.product, between: 0.0 })
    }

    /// Unit vectors have a product only with themselves.
    fn read_out(&self, layer: &Layer) -> Option<Cost> {
        let [layer_use] = &layer.uses[..] else { return None };
        if !layer_use.is_seed || !layer_use.direct || !matches!(self.layout.seeds, Seeds::Outputs(_)) {
            return None;
        }
        let i = match layer_use.structure {
            Structure::Sides { g: 1, t: 1, i, swapped: false, .. } => float(i),
            Structure::Sum { .. } => 0.0,
            _ => return None,
        };
        let rate = self.rates.product;
        Some(self.total(UnitCosts { forming: 0.0, gram: 2.0 * i, touched: 0.0, resident: i, rate, between: 0.0 }))
    }

    /// Products of both operands, for every pair of uses.
    fn use_pairs(&self, layer: &Layer) -> Option<Cost> {
        let use_pairs = layer.use_pairs.as_ref()?;
        if use_pairs.iter().any(|m| m.transposed) && self.summed() > 1.0 {
            return None; // outputs cannot be concatenated as features if operands are transposed
        }
        let mut gram = 0.0;
        let mut between = 0.0;
        let mut resident = 0.0;
        let mut rate = self.rates.product;
        for layer_use in &layer.uses {
            let Structure::Sides { g, t, i, o, .. } = layer_use.structure else { return None };
            resident += float(g * t) * (float(i) + self.seeds() * float(o));
            if g * t > 1 {
                rate = self.rates.positions;
            }
        }
        for pair in use_pairs {
            let [first, second] = pair.uses.map(|k| layer.uses[k].structure);
            let (Structure::Sides { g, t, i, o, .. }, Structure::Sides { t: u, .. }) = (first, second) else {
                return None;
            };
            let [g, t, u, i, o] = [g, t, u, i, o].map(float);
            if pair.transposed {
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
        Some(self.total(UnitCosts { forming: 0.0, gram, touched: 0.0, resident, rate, between }))
    }

    /// Gradients of one sample, both operands of the other.
    fn mixed(&self, layer: &Layer) -> Option<Cost> {
        let [layer_use] = &layer.uses[..] else { return None };
        let Structure::Sides { g: 1, t, i, o, swapped: false } = layer_use.structure else { return None };
        layer.use_pairs.as_ref()?;
        // The gradients have the parameter's order; the operands are those of the weight derived from it.
        if t == 1 || !layer_use.direct {
            return None;
        }
        let materialised = self.materialise(layer);
        let [t, i, o] = [float(t), float(i), float(o) * self.summed()];
        let outputs_per_sample = self.outputs_per_sample();
        let blocks = self.layout.blocks as f64;
        let gram = 2.0 * blocks * (t * i * outputs_per_sample * o + outputs_per_sample * outputs_per_sample * t * o);
        let resident =
            self.seeds() * layer.entries as f64 + t * (i + self.seeds() * float(output_features(layer_use.structure)));
        let costs = UnitCosts {
            forming: materialised.forming / self.samples.max(1.0),
            gram,
            touched: resident,
            resident,
            rate: self.rates.positions,
            between: blocks * outputs_per_sample * t * o,
        };
        Some(self.total(costs))
    }

    /// The expected number of table rows that two samples share if rows are drawn uniformly.
    fn join(&self, layer: &Layer) -> Option<Cost> {
        let use_pairs = layer.use_pairs.as_ref()?;
        let mut touched = 0.0;
        let mut gram = 0.0;
        for layer_use in &layer.uses {
            let Structure::Ids { t, o, .. } = layer_use.structure else { return None };
            touched += 4.0 * self.seeds() * float(t) * float(o);
        }
        for pair in use_pairs {
            let [first, second] = pair.uses.map(|k| layer.uses[k].structure);
            let (Structure::Ids { t, o, rows }, Structure::Ids { t: u, .. }) = (first, second) else { return None };
            let [t, u, rows] = [t, u, rows.max(1)].map(float);
            gram += 2.0 * (t * u / rows).min(t.min(u)) * self.products() * self.summed() * float(o);
        }
        let resident = touched / 4.0;
        Some(self.total(UnitCosts { forming: 0.0, gram, touched, resident, rate: self.rates.positions, between: 0.0 }))
    }

    fn total(&self, costs: UnitCosts) -> Cost {
        let UnitCosts { forming, gram, touched, resident, rate, between } = costs;
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

/// The costs of a strategy per sample and per pair of samples.
struct UnitCosts {
    /// Flops per sample.
    forming: f64,
    /// Flops per pair of samples, and their rate.
    gram: f64,
    rate: f64,
    /// Entries touched per sample.
    touched: f64,
    /// Entries in memory per sample.
    resident: f64,
    /// Entries in cache touched per pair of samples.
    between: f64,
}

/// The largest number of positions of a layer's uses; `None` if a use has no operands.
fn positions(layer: &Layer) -> Option<f64> {
    let positions = |structure: &Structure| match structure {
        Structure::Sides { g, t, .. } => Some(float(g * t)),
        _ => None,
    };
    layer.uses.iter().map(|layer_use| positions(&layer_use.structure)).try_fold(0.0, |most: f64, t| Some(most.max(t?)))
}

/// True if a metric of rank one can scale the operands.
fn scales_operands(layer: &Layer) -> bool {
    layer
        .uses
        .iter()
        .all(|layer_use| layer_use.direct && matches!(layer_use.structure, Structure::Sides { swapped: false, .. }))
}

fn output_features(structure: Structure) -> usize {
    if let Structure::Sides { o, .. } = structure { o } else { 0 }
}

fn float(size: usize) -> f64 {
    size as f64
}
