//! Heat maps: every pixel has the colour of its number, and invalid data give an error.

use std::fs;

use proptest::prelude::*;
use tangent_kernels::io::png::{HeatMap, Image};

use super::{WHITE, at, decoded, picture, pixel, viridis};

#[test]
fn entries_have_the_colours_of_viridis() {
    let data = [0.0f32, 1.0, 2.0, 3.0, 4.0, 10.0];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.png");
    HeatMap::new(2, 3, &data).title("six numbers").save(&path).unwrap();
    let image = decoded(&path);
    let [_, _, width, height] = picture(&image);
    assert_eq!((width, height), (600, 400));
    for (i, x) in data.into_iter().enumerate() {
        assert_eq!(at(&image, [2, 3], i / 3, i % 3), viridis(f64::from(x) / 10.0), "{i}");
    }
    assert_eq!(image, HeatMap::new(2, 3, &data).title("six numbers").render().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn every_pixel_of_a_cell_has_its_colour() {
    let image = HeatMap::new(2, 2, &[0.0, 0.25, 0.5, 1.0]).render().unwrap();
    let [left, top, width, height] = picture(&image);
    for y in 0..height {
        for x in 0..width {
            let value = [[0.0, 0.25], [0.5, 1.0]][2 * y / height][2 * x / width];
            assert_eq!(pixel(&image, left + x, top + y), viridis(value), "({x}, {y})");
        }
    }
}

#[test]
fn large_matrices_are_averaged_over_blocks() {
    // Blocks of 2 x 2 whose means are 0, 1, 2 and 3 in the quarters of the matrix.
    let n = 2000;
    let entry = |i: usize, j: usize| (2 * (2 * i / n) + 2 * j / n) as f64 + [[-7.0, 3.0], [5.0, -1.0]][i % 2][j % 2];
    let data: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
    let image = HeatMap::new(n, n, &data).classes(&[("6", 1000), ("9", 1000)]).label("K(x, x')").render().unwrap();
    let [left, top, width, height] = picture(&image);
    assert_eq!((width, height), (1000, 1000));
    for (x, y) in (0..1000).step_by(37).flat_map(|x| (0..1000).step_by(41).map(move |y| (x, y))).chain([(999, 999)]) {
        let mean = (2 * (y / 500) + x / 500) as f64;
        assert_eq!(pixel(&image, left + x, top + y), viridis(mean / 3.0), "({x}, {y})");
    }
}

#[test]
fn a_size_that_is_not_a_multiple_is_averaged_by_parts() {
    // 1001 columns on 501 pixels: a pixel covers 1001 / 501 entries.
    let data: Vec<f64> = (0..1001).map(|j| ((j * j) % 97) as f64).collect();
    let image = HeatMap::new(1, 1001, &data).range(0.0, 96.0).render().unwrap();
    let [left, top, width, _] = picture(&image);
    assert_eq!(width, 501);
    let per_pixel = 1001.0 / 501.0;
    for x in 0..501 {
        let (start, end) = (x as f64 * per_pixel, (x + 1) as f64 * per_pixel);
        let covered = |j: usize| (end.min(j as f64 + 1.0) - start.max(j as f64)).max(0.0);
        let mean = data.iter().enumerate().map(|(j, value)| value * covered(j)).sum::<f64>() / per_pixel;
        let (seen, expected) = (pixel(&image, left + x, top), viridis(mean / 96.0));
        assert!(seen.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= 1), "{x}: {seen:?} for {expected:?}");
    }
}

#[test]
fn sizes_are_within_bounds() {
    for (rows, cols) in
        [(1, 1), (3, 3), (12, 12), (499, 499), (501, 501), (1001, 999), (1967, 2000), (1, 3000), (3000, 2)]
    {
        let data: Vec<f32> = (0..rows * cols).map(|i| (i % 11) as f32).collect();
        let image = HeatMap::new(rows, cols, &data).title("A title").label("K").render().unwrap();
        let [_, _, width, height] = picture(&image);
        assert!((500..=1000).contains(&width.max(height)), "{rows} x {cols}: {width} x {height}");
        assert!(width.min(height) > 100 && image.width < 1300 && image.height < 1200, "{rows} x {cols}");
        assert_eq!(image.rgb.len(), 3 * image.width * image.height);
    }
}

#[test]
fn ranges_are_shared_and_clamp() {
    let image = HeatMap::new(1, 4, &[-5.0, 2.0, 3.0, 50.0]).range(1.0, 5.0).render().unwrap();
    for (col, position) in [(0, 0.0), (1, 0.25), (2, 0.5), (3, 1.0)] {
        assert_eq!(at(&image, [1, 4], 0, col), viridis(position));
    }
}

#[test]
fn diverging_colours_are_centred_at_zero() {
    let image = HeatMap::new(1, 3, &[-1.0, 0.0, 4.0]).diverging(true).render().unwrap();
    for (col, position) in [(0, 3.0 / 8.0), (1, 0.5), (2, 1.0)] {
        let colour = colorous::RED_BLUE.eval_continuous(1.0 - position);
        assert_eq!(at(&image, [1, 3], 0, col), [colour.r, colour.g, colour.b]);
    }
    let [red, _, blue] = at(&image, [1, 3], 0, 2);
    assert!(red > blue, "large numbers are red");
}

#[test]
fn equal_tiny_and_huge_numbers_are_drawn() {
    for value in [0.0, 3.0, -1e-7, 1e300, -1e300, 5e-324, 1e-300] {
        for diverging in [false, true] {
            let image = HeatMap::new(2, 2, &[value; 4]).diverging(diverging).render().unwrap();
            assert_ne!(at(&image, [2, 2], 0, 0), WHITE, "{value}");
            if !diverging {
                assert_eq!(at(&image, [2, 2], 1, 1), viridis(0.5), "{value}");
            }
        }
    }
    // The mean of equal numbers differs from them by rounding.
    let image = HeatMap::new(1, 1500, &[0.1; 1500]).render().unwrap();
    assert_eq!(at(&image, [1, 1500], 0, 700), viridis(0.5));
    for scale in [1e-280, 1e-7, 1e6, 1e300] {
        let image = HeatMap::new(1, 3, &[-scale, 0.0, scale]).render().unwrap();
        assert_eq!([0, 1, 2].map(|col| at(&image, [1, 3], 0, col)), [viridis(0.0), viridis(0.5), viridis(1.0)]);
    }
}

/// No text is clipped: the outermost pixels are white for any texts around the picture.
#[test]
fn all_text_is_inside() {
    let data: Vec<f64> = (0..30 * 40).map(f64::from).collect();
    let long = "a very long text that would not fit next to or above a picture of this size, by far, on one line";
    let word = "w".repeat(140);
    let small = |scale: f64| data.iter().map(|x| scale * (1.0 + 1e-9 * x)).collect::<Vec<f64>>();
    for numbers in [small(1.0), small(1e-200), small(-1e250)] {
        let map = HeatMap::new(30, 40, &numbers);
        for map in [
            map.clone(),
            map.clone().title(long).label(long).axes(long, long),
            map.clone().title(word.clone()),
            map.clone().title("\n\tΘ → \u{1F600}").label("Θ(x, x')"),
            map.row_classes(&[(long, 1), ("b", 29)]).column_classes(&[("a", 1), (long, 38), (long, 1)]).borders(true),
        ] {
            let image = map.render().unwrap();
            let (right, bottom) = (image.width - 1, image.height - 1);
            assert!((0..=right).all(|x| pixel(&image, x, 0) == WHITE && pixel(&image, x, bottom) == WHITE));
            assert!((0..=bottom).all(|y| pixel(&image, 0, y) == WHITE && pixel(&image, right, y) == WHITE));
        }
    }
}

#[test]
fn classes_are_marked_at_their_borders() {
    let data = vec![0.5; 100];
    let map = HeatMap::new(10, 10, &data).classes(&[("six", 3), ("nine", 7)]);
    let plain = map.clone().render().unwrap();
    let [left, top, width, height] = picture(&plain);
    // Ticks in black left of the frame and below it.
    let black = |x, y| pixel(&plain, x, y) == [0; 3];
    let ticks: Vec<usize> = (0..=height).filter(|y| black(left - 4, top + y)).collect();
    assert_eq!(ticks, [0, 180, 600]);
    let ticks: Vec<usize> = (0..=width).filter(|x| black(left + x, top + height + 4)).collect();
    assert_eq!(ticks, [0, 180, 600]);
    assert_eq!(pixel(&plain, left + 180, top + 50), viridis(0.5));

    let lined = map.borders(true).render().unwrap();
    assert_eq!((pixel(&lined, left + 180, top + 50), pixel(&lined, left + 50, top + 180)), (WHITE, WHITE));
    assert_eq!(pixel(&lined, left + 181, top + 50), viridis(0.5));
}

#[test]
fn invalid_data_are_rejected() {
    let data = [1.0f64; 6];
    for (rows, cols) in [(0, 6), (6, 0), (0, 0), (2, 2), (7, 1), (usize::MAX, 2)] {
        assert!(HeatMap::new(rows, cols, &data).render().unwrap_err().is_shape(), "{rows} x {cols}");
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e301] {
        let error = HeatMap::new(2, 3, &[1.0, 1.0, 1.0, 1.0, 1.0, bad]).render().unwrap_err();
        assert!(error.is_value() && error.to_string().contains("row 1, column 2"), "{error:?}");
    }
    for (lo, hi) in [(1.0, 1.0), (2.0, 1.0), (1.0, 1.0 + 1e-15), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        assert!(HeatMap::new(2, 3, &data).range(lo, hi).render().unwrap_err().is_value(), "{lo} to {hi}");
    }
    for classes in [&[("a", 1)][..], &[("a", 2), ("b", 2)], &[("a", usize::MAX), ("b", 4)]] {
        let error = HeatMap::new(2, 3, &data).row_classes(classes).render().unwrap_err();
        assert!(error.is_shape() && error.to_string().contains("rows"), "{error:?}");
        assert!(HeatMap::new(2, 3, &data).column_classes(classes).render().unwrap_err().is_shape());
    }
}

#[test]
fn errors_of_files_name_them_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/map.png");
    let map = HeatMap::new(1, 1, &[1.0f32]);
    for path in [folder.path(), &missing] {
        let error = map.save(path).unwrap_err();
        assert!(error.is_io() && error.to_string().contains(path.to_str().unwrap()), "{error:?}");
    }
    let path = folder.path().join("map.png");
    let error = HeatMap::new(1, 1, &[f32::NAN]).save(&path).unwrap_err();
    assert!(error.is_value() && error.to_string().contains(path.to_str().unwrap()), "{error:?}");
    for broken in [Image { width: 2, height: 2, rgb: vec![0; 11] }, Image { width: 0, height: 0, rgb: vec![] }] {
        assert!(broken.save(&path).unwrap_err().is_shape());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_same_numbers_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<f32> = (0..1300 * 70).map(|i| (i as f32).sin()).collect();
    let bytes = ["first", "second"].map(|name| {
        let path = folder.path().join(name);
        HeatMap::new(1300, 70, &data).title("sin").classes(&[]).label("sin").save(&path).unwrap();
        fs::read(path).unwrap()
    });
    assert!(bytes[0] == bytes[1]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_numbers_and_texts_panic(
        (cols, data) in (1..20usize).prop_flat_map(|cols| {
            (Just(cols), prop_oneof![
                proptest::collection::vec(any::<f64>(), cols),
                proptest::collection::vec(-1.0..1.0f64, 2 * cols),
            ])
        }),
        text in "\\PC{0,60}",
        range in proptest::option::of((any::<f64>(), any::<f64>())),
        counts in proptest::collection::vec(0..10usize, 0..4),
        diverging in any::<bool>(),
    ) {
        let rows = data.len() / cols;
        let classes: Vec<(&str, usize)> = counts.iter().map(|&count| (&text[..], count)).collect();
        let mut map = HeatMap::new(rows, cols, &data).title(&text[..]).label(&text[..]).diverging(diverging);
        if counts.iter().sum::<usize>() == rows {
            map = map.row_classes(&classes);
        }
        if let Some((lo, hi)) = range {
            map = map.range(lo, hi);
        }
        if let Err(error) = map.render() {
            prop_assert!(error.is_value(), "{:?}", error);
        }
    }
}

/// A small average of a kernel is drawn like the kernel itself, with the ticks of its samples.
#[test]
fn an_average_keeps_the_numbers_of_its_samples() {
    let small: Vec<f64> = (0..100 * 100).map(|k| ((k * k) as f64 * 0.618).fract()).collect();
    let large: Vec<f64> = (0..500 * 500).map(|k| small[k / 500 / 5 * 100 + k % 500 / 5]).collect();
    let of = |map: HeatMap<'_, f64>| map.classes(&[("a", 200), ("b", 300)]).borders(true).size(100).render().unwrap();
    let (kept, whole) = (HeatMap::new(100, 100, &small), HeatMap::new(500, 500, &large));
    assert!(of(kept.clone().averaged_from(500, 500)) == of(whole));
    let plain = |map: HeatMap<'_, f64>| map.size(100).render().unwrap();
    assert!(plain(kept.clone().averaged_from(500, 500)) == plain(HeatMap::new(500, 500, &large)));
    assert!(plain(kept.clone().averaged_from(500, 500)) != plain(kept.clone()));
    let error = kept.clone().averaged_from(99, 500).render().unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("cannot be the average of one of 99 x 500"), "{error}");
    let error = kept.averaged_from(500, 500).classes(&[("a", 100)]).render().unwrap_err();
    assert!(error.to_string().contains("500 rows"), "{error}");
}
