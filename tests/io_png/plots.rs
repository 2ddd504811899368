//! Plots: lines are at the positions of their numbers.

use proptest::prelude::*;
use tangent_kernels::io::png::{Image, Plot};

use super::{BLACK, WHITE, decoded, picture, pixel};

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
    assert!(decoded(&path) == image);
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
    assert!(draw(&with_others) == image);
}

#[test]
fn plots_without_points_are_rejected() {
    assert!(Plot::new().render().unwrap_err().is_shape());
    assert!(Plot::new().log_y(true).line("zero", &[(1.0, 0.0)]).render().unwrap_err().is_shape());
    for wrong in [f64::NAN, f64::INFINITY, 1e301] {
        let error = Plot::new().line("odd", &[(1.0, wrong)]).render().unwrap_err();
        assert!(error.is_value() && error.to_string().contains("'odd'"), "{error}");
    }
    // A single point and a constant line can be drawn.
    Plot::new().line("a point", &[(3.0, 3.0)]).render().unwrap();
    Plot::new().log_y(true).line("level", &[(1.0, 2.0), (2.0, 2.0)]).render().unwrap();
}

/// The ticks of x, in pixels from the left of the lines.
fn ticks(image: &Image) -> Vec<usize> {
    let [x, y, width, height] = picture(image);
    (0..width).filter(|&column| pixel(image, x + column, y + height + 4) == BLACK).collect()
}

/// Steps counted from 0: 0 is at the left edge, then 1, 2, 4 and so on at the logarithms of 1 + x.
#[test]
fn step_0_is_on_the_axis() {
    let steps = [0.0, 1.0, 10.0, 100.0, 1000.0, 10_000.0, 20_000.0];
    let place = |step: f64| ((1.0f64 + step).ln() / 20_001f64.ln() * 799.0).round() as usize;
    let plot = |points: &[(f64, f64)]| Plot::new().log1p_x(true).line("loss", points).render().unwrap();
    let straight = steps.map(|step: f64| (step, (1.0 + step).ln()));
    let image = plot(&straight);
    assert_eq!(ticks(&image), [0.0, 1.0, 10.0, 100.0, 1000.0, 10_000.0].map(place));
    let line = coloured(&image, BLUE);
    assert!(line.len() > 800 && line.iter().all(|p| (p[0] as f64 / 799.0 + p[1] as f64 / 499.0 - 1.0).abs() < 0.01));
    assert!(line.contains(&[0, 499]), "step 0 is drawn");
    // Points below 0 are left out.
    assert!(plot(&[&straight[..], &[(-1.0, 5.0), (-0.1, 7.0)]].concat()) == image);
    // The ordinary logarithm begins at 1.
    let image = Plot::new().log_x(true).line("loss", &straight).render().unwrap();
    assert_eq!(ticks(&image)[0], 0);
    assert!((ticks(&image)[1] as f64 - 799.0 / 20_000f64.log10()).abs() < 1.0);
}

#[test]
fn bounds_are_kept_and_cut_lines() {
    let rising = [(0.0, -50.0), (10.0, 150.0)];
    let plot = Plot::new().range_y(0.0, 100.0).line("rising", &rising).line("above", &[(0.0, 101.0), (10.0, 1e300)]);
    let image = plot.line("a point beyond", &[(5.0, -1.0)]).render().unwrap();
    let line = coloured(&image, BLUE);
    // It crosses the middle half, and nothing is drawn at the edges or outside of the frame.
    assert!(line.iter().all(|p| (p[0] as f64 / 799.0 - 0.25 - (1.0 - p[1] as f64 / 499.0) / 2.0).abs() < 0.01));
    assert!(line.iter().any(|p| p[1] == 0) && line.iter().any(|p| p[1] == 499));
    assert!(coloured(&image, ORANGE).is_empty());
    let [x, y, width, _] = picture(&image);
    for at in (0..image.width * image.height).filter(|at| !(x - 1..=x + width).contains(&(at % image.width))) {
        let (column, row) = (at % image.width, at / image.width);
        assert!(pixel(&image, column, row) != BLUE || (column > x + width && row < y + 24), "only the legend");
    }
    // The ends of x are cut as well, and ticks are those of the bounds.
    let image = Plot::new().range_x(2.0, 4.0).line("rising", &rising).render().unwrap();
    assert_eq!((coloured(&image, BLUE).len() > 800, ticks(&image).len()), (true, 5));

    for (lo, hi) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, 1e301)] {
        let error = Plot::new().range_y(lo, hi).line("rising", &rising).render().unwrap_err();
        assert!(error.is_value() && error.to_string().contains("axis of y"), "{error}");
    }
    let plot = Plot::new().line("level", &[(1.0, 1.0), (2.0, 1.0)]);
    assert!(plot.clone().log_x(true).range_x(0.0, 1.0).render().unwrap_err().to_string().contains("axis of x"));
    assert!(plot.clone().log1p_x(true).range_x(-1.0, 1.0).render().unwrap_err().is_value());
    plot.log1p_x(true).range_x(0.0, 1.0).render().unwrap();
}

#[test]
fn dashes_have_the_colour_of_the_line_before() {
    let [low, high] = [1.0, 2.0].map(|y| [(0.0, y), (3.1, y), (10.0, y)]);
    let draw = |plot: Plot| plot.line("next", &[(0.0, 0.0), (10.0, 0.0)]).render().unwrap();
    let whole = coloured(&draw(Plot::new().line("train", &low)), BLUE);
    let image = draw(Plot::new().line("train", &low).dashed("test", &high));
    let dashes: Vec<[usize; 2]> = coloured(&image, BLUE).into_iter().filter(|p| p[1] < 200).collect();
    // 12 of 20 pixels, and one more at each end.
    let part = dashes.len() as f64 / whole.len() as f64;
    assert!((0.65..0.75).contains(&part), "{part}");
    // The pattern continues through a point in the middle.
    let filled = |x: usize| dashes.iter().any(|p| p[0] == x);
    assert!((20..760).all(|x| filled(x) == filled(x + 20)));
    assert!(coloured(&image, ORANGE).len() > 800, "the next line has the next colour");
    // A dashed line without a previous line is drawn too.
    assert!(!coloured(&Plot::new().dashed("test", &high).render().unwrap(), BLUE).is_empty());
}

/// 20,000 steps that fluctuate: a line through the means over a pale band, not one thick line.
#[test]
fn crowded_points_are_thinned() {
    let noise = |step: usize| ((step * 7919) % 1009) as f64 / 1009.0;
    let points: Vec<(f64, f64)> = (0..20_000).map(|step| (step as f64, noise(step))).collect();
    let image = Plot::new().range_y(-1.0, 2.0).line("loss", &points).line("other", &[(0.0, 2.0)]).render().unwrap();
    let line = coloured(&image, BLUE);
    assert!(line.iter().all(|p| p[1].abs_diff(250) < 60), "means are near the middle");
    let band = coloured(&image, BLUE.map(|part| 255 - (255 - part) / 4));
    let column = |x: usize| band.iter().filter(|p| p[0] == x).map(|p| p[1]).collect::<Vec<_>>();
    for x in [10, 400, 790] {
        let rows = column(x);
        let (top, bottom) = (rows[0], rows[rows.len() - 1]);
        assert!(top < 190 && bottom > 310 && top >= 166 && bottom <= 333, "{x}: from {top} to {bottom}");
    }
    // Few points are joined as they are.
    let image = Plot::new().line("loss", &points[..300]).render().unwrap();
    assert!(coloured(&image, BLUE.map(|part| 255 - (255 - part) / 4)).is_empty());
}

#[test]
fn sizes_are_exact_and_text_is_inside() {
    let long = "a very long text that would not fit next to or above a picture of this size, by far, on one line";
    let points: Vec<(f64, f64)> = (0..50).map(|k| (f64::from(k), f64::from(k).sin() * 1e-9)).collect();
    for [width, height] in [[100, 100], [500, 300], [300, 1000]] {
        for (title, name) in [("", ""), (long, long), (&"w".repeat(140), "x")] {
            let plot = Plot::new().size(width, height).title(title).axes(name, name).line(name, &points);
            for plot in [plot.clone(), plot.clone().log1p_x(true), plot.log_x(true).log_y(true)] {
                let image = plot.render().unwrap();
                assert_eq!(picture(&image)[2..], [width, height]);
                let (right, bottom) = (image.width - 1, image.height - 1);
                assert!((0..=right).all(|x| pixel(&image, x, 0) == WHITE && pixel(&image, x, bottom) == WHITE));
                assert!((0..=bottom).all(|y| pixel(&image, 0, y) == WHITE && pixel(&image, right, y) == WHITE));
            }
        }
    }
    for (width, height) in [(99, 500), (800, 0), (10_001, 500), (usize::MAX, 500)] {
        let error = Plot::new().size(width, height).line("a", &points).render().unwrap_err();
        assert!(error.is_value() && error.to_string().contains(&format!("{width} x {height}")), "{error}");
    }
}

#[test]
fn pictures_are_joined() {
    let filled = |width, height, colour: [u8; 3]| Image { width, height, rgb: colour.repeat(width * height) };
    let (one, two, three) = (filled(3, 2, BLUE), filled(2, 4, ORANGE), filled(1, 1, BLACK));
    let row = Image::join_right(&[one.clone(), two.clone(), three.clone()]).unwrap();
    assert_eq!((row.width, row.height, row.rgb.len()), (6, 4, 3 * 24));
    let expected = |x: usize, y: usize| match (x, y) {
        (0..3, 0..2) => BLUE,
        (3..5, _) => ORANGE,
        (5, 0) => BLACK,
        _ => WHITE,
    };
    assert!((0..24).all(|at| pixel(&row, at % 6, at / 6) == expected(at % 6, at / 6)));
    let column = Image::join_down(&[one.clone(), two]).unwrap();
    assert_eq!((column.width, column.height), (3, 6));
    assert_eq!([[2, 1], [1, 2], [1, 5], [2, 2]].map(|[x, y]| pixel(&column, x, y)), [BLUE, ORANGE, ORANGE, WHITE]);
    assert!(Image::join_right(&[]).unwrap_err().is_shape() && Image::join_down(&[]).unwrap_err().is_shape());
    let broken = Image { rgb: vec![0; 5], ..one.clone() };
    let error = Image::join_down(&[one, broken]).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("picture 1"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_plots_panic(
        lines in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            (any::<f64>(), any::<f64>()), (-1e300..1e300, -1e300..1e300), (0.0..2e4, -1.0..1.0)
        ], 0..40), 0..4),
        range in proptest::option::of(prop_oneof![(any::<f64>(), any::<f64>()), (0.0..1e-9, 1.0..2.0)]),
        size in (90..300usize, 90..300usize),
        spacing in 0..3,
        log_y in any::<bool>(),
        text in "\\PC{0,60}",
    ) {
        let mut plot = Plot::new().title(&text[..]).axes(&text[..], &text[..]).size(size.0, size.1).log_y(log_y);
        plot = match spacing { 0 => plot.log_x(true), 1 => plot.log1p_x(true), _ => plot };
        if let Some((lo, hi)) = range {
            plot = plot.range_x(lo, hi).range_y(lo, hi);
        }
        for (number, points) in lines.iter().enumerate() {
            plot = if number % 2 == 0 { plot.line(&text[..], points) } else { plot.dashed(&text[..], points) };
        }
        if let Err(error) = plot.render() {
            prop_assert!(error.is_value() || error.is_shape(), "{:?}", error);
        }
    }
}
