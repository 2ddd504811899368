//! Plots: lines go where the numbers say.

use tangent_kernels::io::png::{Image, Plot};

use super::{decoded, picture, pixel};

/// The pixels of the frame's inside that have a colour.
fn coloured(image: &Image, colour: [u8; 3]) -> Vec<[usize; 2]> {
    let [x, y, width, height] = picture(image);
    let inside = (0..height).flat_map(|row| (0..width).map(move |col| [col, row]));
    inside.filter(|&[col, row]| pixel(image, x + col, y + row) == colour).collect()
}

const BLUE: [u8; 3] = [0, 114, 178];
const ORANGE: [u8; 3] = [213, 94, 0];

#[test]
fn lines_go_through_their_points() {
    let [rising, level] = [[(0.0, 0.0), (10.0, 5.0)], [(0.0, 2.5), (10.0, 2.5)]];
    let plot = Plot::new().title("two lines").axes("x", "y").line("rising", &rising).line("level", &level);
    let image = plot.render().unwrap();
    let [_, _, width, height] = picture(&image);
    assert_eq!((width, height), (800, 500));
    let near = |pixels: &[[usize; 2]], at: [f64; 2]| {
        let place = [at[0] * 799.0, (1.0 - at[1]) * 499.0];
        pixels.iter().any(|p| (0..2).all(|axis| (p[axis] as f64 - place[axis]).abs() <= 2.0))
    };
    let (one, two) = (coloured(&image, BLUE), coloured(&image, ORANGE));
    for part in [0.0, 0.25, 0.75, 1.0] {
        assert!(near(&one, [part, part]) && near(&two, [part, 0.5]), "{part}");
    }
    assert!(!near(&one, [0.25, 0.75]) && two.iter().all(|p| p[1].abs_diff(250) <= 2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.png");
    plot.save(&path).unwrap();
    assert_eq!(decoded(&path), image);
}

/// On logarithmic axes a power is a straight line, and numbers that are not positive are left out.
#[test]
fn powers_are_straight_on_logarithmic_axes() {
    let power: Vec<(f64, f64)> = (0..=4).map(|k| (10f64.powi(k), 10f64.powi(-2 * k))).collect();
    let with_others = [&power[..], &[(0.0, 1.0), (10.0, 0.0), (-1.0, 1.0)]].concat();
    let draw = |points: &[(f64, f64)]| Plot::new().log_x(true).log_y(true).line("power", points).render().unwrap();
    let image = draw(&power);
    let line = coloured(&image, BLUE);
    assert!(line.len() > 800 && line.iter().all(|p| (p[0] as f64 / 799.0 - p[1] as f64 / 499.0).abs() < 0.01));
    assert_eq!(draw(&with_others), image);
}

#[test]
fn plots_without_a_place_for_points_are_refused() {
    assert!(Plot::new().render().unwrap_err().is_shape());
    assert!(Plot::new().log_y(true).line("zero", &[(1.0, 0.0)]).render().unwrap_err().is_shape());
    for wrong in [f64::NAN, f64::INFINITY, 1e301] {
        let error = Plot::new().line("odd", &[(1.0, wrong)]).render().unwrap_err();
        assert!(error.is_value() && error.to_string().contains("'odd'"), "{error}");
    }
    // One point, or one number everywhere, has a place.
    Plot::new().line("a point", &[(3.0, 3.0)]).render().unwrap();
    Plot::new().log_y(true).line("level", &[(1.0, 2.0), (2.0, 2.0)]).render().unwrap();
}
