//! Heat maps in a row and frames of an animation: equal numbers have equal colours, and the layout does not change.

use tangent_kernels::io::png::{HeatMap, Image, Panels};

use super::{BLACK, WHITE, decoded, frames, pixel, viridis};

fn centre(
    image: &Image,
    [x, y, width, height]: [usize; 4],
    [rows, cols]: [usize; 2],
    row: usize,
    col: usize,
) -> [u8; 3] {
    pixel(image, x + (2 * col + 1) * width / (2 * cols), y + (2 * row + 1) * height / (2 * rows))
}

#[test]
fn one_scale_spans_all_maps() {
    let (first, second) = ([0.0, 1.0, 2.0, 3.0], [3.0, 4.0, 5.0, 10.0]);
    let maps = [&first, &second].map(|data| HeatMap::new(2, 2, data).title("t"));
    let panels = Panels::new(maps).title("both");
    let image = panels.render().unwrap();
    let framed = frames(&image);
    assert_eq!(framed.len(), 3, "two pictures and one colour bar");
    for (data, &area) in [first, second].iter().zip(&framed) {
        assert_eq!(area[2..], [700, 700]);
        for (i, x) in data.iter().enumerate() {
            assert_eq!(centre(&image, area, [2, 2], i / 2, i % 2), viridis(x / 10.0), "{x}");
        }
    }
    let [x, y, width, height] = framed[2];
    assert_eq!((height, width), (700, 26));
    assert_eq!([y, y + height - 1].map(|y| pixel(&image, x, y)), [viridis(1.0), viridis(0.0)]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panels.png");
    panels.save(&path).unwrap();
    assert!(decoded(&path) == image);
}

#[test]
fn a_map_alone_is_one_panel() {
    let data: Vec<f64> = (0..12).map(f64::from).collect();
    let map = HeatMap::new(3, 4, &data).title("alone").label("K").axes("rows", "columns");
    assert!(Panels::new([map.clone()]).render().unwrap() == map.render().unwrap());
}

#[test]
fn panels_are_averaged_to_fit_on_a_screen() {
    for (maps, n, length) in [(2, 500, 500), (2, 2000, 667), (3, 500, 500), (4, 1000, 333)] {
        let data: Vec<f32> = (0..n * n).map(|i| (i % 7) as f32).collect();
        let map = HeatMap::new(n, n, &data).classes(&[("6", n / 2), ("9", n / 2)]).label("K(x, x')").borders(true);
        let image = Panels::new(vec![map; maps]).render().unwrap();
        let framed = frames(&image);
        assert_eq!(framed.len(), maps + 1);
        assert!(framed[..maps].iter().all(|area| area[2..] == [length, length]), "{framed:?}");
        assert!(image.width <= if maps == 2 { 1700 } else { 1850 }, "{}", image.width);
        for &[x, y, width, height] in &framed[..maps] {
            assert_eq!(pixel(&image, x + width.div_ceil(2), y + 5), WHITE, "the border of the classes");
            let ticks = (0..=height).filter(|down| pixel(&image, x - 4, y + down) == BLACK).count();
            assert_eq!(ticks, 3);
        }
    }
}

/// The row labels are written once if they are equal, and for each map otherwise.
#[test]
fn equal_rows_are_written_once() {
    let data = [1.0, 2.0, 3.0, 4.0];
    let map = HeatMap::new(2, 2, &data).axes("images", "");
    let once = Panels::new([map.clone(), map.clone()]).render().unwrap();
    let twice = Panels::new([map.clone(), map.clone().axes("other images", "")]).render().unwrap();
    let distance = |image: &Image| {
        let framed = frames(image);
        framed[1][0] - framed[0][0] - framed[0][2]
    };
    assert_eq!(distance(&twice) - distance(&once), 42, "a name and a digit");
}

/// Texts stay within the width of their map. They are wrapped, or the maps move apart.
#[test]
fn texts_do_not_reach_into_the_next_map() {
    let data = [0.5; 4];
    let map = HeatMap::new(2, 2, &data).size(100);
    let word = "w".repeat(30);
    let texts = ["several words that need more than one line", &word];
    for other in
        texts.map(|text| [map.clone().title(text), map.clone().caption(text), map.clone().axes("", text)]).concat()
    {
        let image = Panels::new([map.clone(), other.clone(), other]).render().unwrap();
        let [_, [x, _, width, _], [next, ..], _] = frames(&image)[..] else { panic!("three maps and a bar") };
        assert!(width == 100 && next > x + 100);
        for column in [x - 12, next - 12] {
            assert!((0..image.height).all(|y| pixel(&image, column, y) == WHITE), "{column}");
        }
    }
    // A class name that is wider than the map is left out.
    let image = Panels::new(vec![map.column_classes(&[("a name as long as it could be", 2)]); 2]).render().unwrap();
    let [x, y, width, height] = frames(&image)[0];
    assert!((x - 20..x + width + 40).all(|x| pixel(&image, x, y + height + 20) == WHITE));
}

#[test]
fn maps_with_different_scales_are_rejected() {
    let (data, wide) = ([1.0f64; 4], [1.0f64; 6]);
    let map = HeatMap::new(2, 2, &data).title("before");
    assert!(Panels::<f64>::new([]).render().unwrap_err().is_shape());
    let error = Panels::new([map.clone(), HeatMap::new(2, 3, &wide).title("after")]).render().unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("2 of 2 ('after'): a matrix of 2 x 3"), "{error}");
    for (other, what) in [
        (map.clone().label("K"), "label"),
        (map.clone().range(0.0, 1.0), "range"),
        (map.clone().diverging(true), "diverging"),
        (map.clone().size(200), "size"),
    ] {
        let error = Panels::new([map.clone(), other]).render().unwrap_err();
        assert!(error.is_value() && error.to_string().contains(what), "{error}");
    }
    let error = Panels::new([map, HeatMap::new(2, 2, &[1.0, 2.0, f64::NAN, 4.0])]).render().unwrap_err();
    assert!(error.is_value() && error.to_string().contains("heat map 2 of 2 (''): the entry at row 1"), "{error}");
}

#[test]
fn sizes_in_pixels_are_kept() {
    for (n, size, length) in
        [(500, 500, 500), (500, 300, 250), (12, 500, 492), (2000, 500, 500), (3, 50, 48), (700, 1400, 1400)]
    {
        let data: Vec<f64> = (0..n * n).map(|i| (i % 13) as f64).collect();
        let image = HeatMap::new(n, n, &data).size(size).render().unwrap();
        assert_eq!(frames(&image)[0][2..], [length, length], "{n} at {size}");
    }
    for size in [0, 49, 10_001, usize::MAX] {
        let error = HeatMap::new(1, 1, &[1.0]).size(size).render().unwrap_err();
        assert!(error.is_value() && error.to_string().contains(&size.to_string()), "{error}");
    }
}

/// Frames do not jump: captions of any length up to the picture's width, and any numbers in a fixed range, leave all else
/// where it is, with a factor above the colour bar or without.
#[test]
fn captions_move_nothing() {
    for scale in [1.0, 1e7] {
        let frame = |caption: &str, title: &str, shift: f64| {
            let data: Vec<f64> = (0..100 * 100).map(|i| scale * ((i % 100) as f64 + shift)).collect();
            let map = HeatMap::new(100, 100, &data).range(0.0, 200.0 * scale).size(300).label("K").title(title);
            map.caption(caption).render().unwrap()
        };
        for title in ["", "short", "a title that is much longer than the picture"] {
            let first = frame("0", title, 0.0);
            for length in [2, 10, 29, 30] {
                let other = frame(&"w".repeat(length), title, length as f64);
                assert_eq!((other.width, other.height), (first.width, first.height), "{length}");
                assert_eq!(frames(&other), frames(&first));
                // Below the caption all but the cells is the same.
                let [x, y, width, height] = frames(&first)[0];
                let differ = (y..first.height).flat_map(|y| (0..first.width).map(move |x| (x, y)));
                let differ: Vec<_> = differ.filter(|&(x, y)| pixel(&first, x, y) != pixel(&other, x, y)).collect();
                assert!(!differ.is_empty());
                assert!(differ.iter().all(|p| (x..x + width).contains(&p.0) && (y..y + height).contains(&p.1)));
            }
            // A longer one makes room for the factor above the bar.
            let [beyond, short] = [frame(&"w".repeat(35), title, 0.0), first].map(|image| frames(&image)[0][1]);
            assert_eq!(beyond - short, if scale == 1.0 { 0 } else { 28 });
            let long = frame(&"w".repeat(90), title, 0.0);
            assert!(long.width > 900 && (0..long.height).all(|y| pixel(&long, long.width - 1, y) == WHITE));
        }
    }
}
