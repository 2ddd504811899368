//! Derivatives as plain functions: along directions, by forward mode; of weighted outputs, by reverse mode; and one through
//! the other, for second order.
//!
//! f is a model's outputs for all samples, \[n, C\]; theta its parameters, P numbers, and x its inputs. With J the Jacobian
//! of f, \[n C, P\], or of f in the inputs:
//!
//! | function | gives | by |
//! |---|---|---|
//! | [`jvp`], [`jvp_block`] | f and J v | forward mode |
//! | [`vjp`] | J^T u | one reverse sweep |
//! | [`jacobian`], [`jacobian_forward`] | J | C sweeps; P forward runs |
//! | [`hvp`] | the derivative of J^T u along v, H v with H the Hessian of u . f | a sweep over forward mode |
//! | [`linearize`] | f(theta_0) + J (theta - theta_0), as a model | forward mode |
//!
//! All of them run on every backend and in its precision, take samples in blocks, one for each thread, and are the same to
//! the bit for any number of threads. Kinks have the derivatives that their functions document, such as 0 for relu at 0.
//!
//! ```
//! use tangent_kernels::{Batch, Cpu, Sequential, Session, differentiate::{self, Direction}};
//! let mut model = Sequential::standard(&[2]).linear("d", 1).build()?;
//! model.set("d.weight", &[1, 2], vec![3.0, 4.0])?;
//! model.set("d.bias", &[1], vec![0.5])?;
//! let session = Session::new(&model, Cpu::<f64>::new())?;
//! let x = [1.0, 2.0];
//! let x = Batch::new(&x, &[1, 2])?;
//!
//! // f = w . x + b moves by 10 x_0 if w_0 moves by 10.
//! let v = Direction::none(&model).parameter("d.weight", &[10.0, 0.0])?;
//! let along = differentiate::jvp(&session, &x, &v)?;
//! assert_eq!((along.value, along.tangent), (vec![11.5], vec![10.0]));
//!
//! let back = differentiate::vjp(&session, &x, &[2.0])?;
//! assert_eq!(back.parameters.parameter("d.weight")?, [2.0, 4.0]);
//! assert_eq!(back.inputs, [[6.0, 8.0]]);
//! # Ok::<(), tangent_kernels::Error>(())
//! ```

mod direction;
mod forward;
mod linearized;
mod reverse;
mod second;

pub use direction::Direction;
pub use forward::{Jvp, jacobian_forward, jvp, jvp_block};
pub use linearized::{Linearized, linearize};
pub use reverse::{Vjp, jacobian, vjp};
pub(crate) use second::swept_along;
pub use second::{Hvp, hvp};
