//! Derivatives as functions: along directions by forward mode, of weighted outputs by reverse mode, and of second order by
//! reverse mode over forward mode.
//!
//! f is the model's outputs for all samples, `[n, C]`. theta is its P parameters, and x its inputs. J is the Jacobian of f in
//! the parameters, `[n C, P]`, or in the inputs.
//!
//! | function | result | method |
//! |---|---|---|
//! | [`jvp`], [`jvp_block`] | f and J v | forward mode |
//! | [`Session::gradient`](crate::Session::gradient) | J^T u in the parameters | one reverse sweep |
//! | [`input_gradient`] | J^T u in the inputs | one reverse sweep |
//! | [`Session::jacobian`](crate::Session::jacobian), [`jacobian_forward`] | J | C sweeps, or P forward runs |
//! | [`hvp`] | the derivative of J^T u along v: H v with H the Hessian of u . f | a sweep over forward mode |
//! | [`linearize`] | f(theta_0) + J (theta - theta_0), as a model | forward mode |
//!
//! All functions run on every backend in its precision. Threads take blocks of samples, and results have the same bits for
//! any number of threads. At kinks, functions have the derivatives that they document, such as 0 for relu at 0.
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
//! assert_eq!(session.gradient(&x, &[2.0])?.parameter("d.weight")?, [2.0, 4.0]);
//! assert_eq!(differentiate::input_gradient(&session, &x, &[2.0])?, [[6.0, 8.0]]);
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
pub use reverse::input_gradient;
pub use second::{Hvp, hvp};
pub(crate) use second::{Seed, swept_along};
