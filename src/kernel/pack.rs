//! Right sides of all seeds packed as K wants them.

use super::outputs::{Layout, Packing};
use crate::backend::Arrays;

/// Packs b\[n,t,o\] of every seed into \[blocks, n, inner, t, o'\].
pub(crate) fn rights<B: Arrays>(arrays: &B, layout: &Layout, list: &[B::Tensor]) -> B::Tensor {
    let shape = arrays.shape(&list[0]);
    let single = [1, shape[0], 1, shape[1], shape[2]];
    if let [one] = list {
        return arrays.reshape(one, &single);
    }
    let axis = match layout.packing {
        Packing::Blocks => 0,
        Packing::Rows => 2,
        Packing::Features => 4,
    };
    let list: Vec<B::Tensor> = list.iter().map(|x| arrays.reshape(x, &single)).collect();
    arrays.concat(&list.iter().collect::<Vec<_>>(), axis)
}
