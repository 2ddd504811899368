//! Animations: decoders return the frames that were written, and an unfinished animation leaves no file.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use tangent_kernels::Result;
use tangent_kernels::io::png::{Animation, HeatMap, Image};

/// The contents of a file: the pictures as a viewer composes them, their times, and the stored parts as x, y, width and
/// height.
struct Film {
    frames: Vec<Image>,
    milliseconds: Vec<u32>,
    parts: Vec<[usize; 4]>,
    /// 0 repeats without end.
    plays: u32,
}

impl Film {
    fn new(plays: u32) -> Self {
        Film { frames: Vec::new(), milliseconds: Vec::new(), parts: Vec::new(), plays }
    }

    fn add(&mut self, [width, height]: [usize; 2], part: [usize; 4], rgb: &[u8], milliseconds: u32) {
        let black = || Image { width, height, rgb: vec![0; 3 * width * height] };
        let mut image = self.frames.last().cloned().unwrap_or_else(black);
        let [x, y, across, down] = part;
        for row in 0..down {
            let to = 3 * ((y + row) * width + x);
            image.rgb[to..to + 3 * across].copy_from_slice(&rgb[3 * row * across..][..3 * across]);
        }
        self.frames.push(image);
        self.parts.push(part);
        self.milliseconds.push(milliseconds);
    }

    fn of_png(path: &Path) -> Self {
        let mut reader = png::Decoder::new(BufReader::new(File::open(path).unwrap())).read_info().unwrap();
        let control = *reader.info().animation_control().unwrap();
        let mut film = Film::new(control.num_plays);
        let size = [reader.info().width as usize, reader.info().height as usize];
        for _ in 0..control.num_frames {
            let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut rgb).unwrap();
            let frame = *reader.info().frame_control().unwrap();
            assert_eq!((frame.dispose_op, frame.blend_op), (png::DisposeOp::None, png::BlendOp::Source));
            let part = [frame.x_offset, frame.y_offset, frame.width, frame.height].map(|pixels| pixels as usize);
            film.add(size, part, &rgb, 1000 * u32::from(frame.delay_num) / u32::from(frame.delay_den));
        }
        assert!(reader.next_frame(&mut vec![0; 1 << 22]).is_err(), "no more frames than the file says");
        film
    }

    #[cfg(feature = "gif")]
    fn of_gif(path: &Path) -> Self {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(BufReader::new(File::open(path).unwrap())).unwrap();
        let size = [decoder.width().into(), decoder.height().into()];
        let mut film = Film::new(0);
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            let part = [frame.left, frame.top, frame.width, frame.height].map(usize::from);
            let rgb: Vec<u8> = frame.buffer.chunks_exact(4).flat_map(|rgba| &rgba[..3]).copied().collect();
            film.add(size, part, &rgb, 10 * u32::from(frame.delay));
        }
        film.plays = match decoder.repeat() {
            gif::Repeat::Infinite => 0,
            gif::Repeat::Finite(again) => u32::from(again) + 1,
        };
        film
    }
}

/// A format: the functions that create and read its files.
type Format = (fn(&Path) -> Result<Animation>, fn(&Path) -> Film);

fn formats() -> Vec<Format> {
    vec![
        (|path| Animation::png(path), Film::of_png),
        #[cfg(feature = "gif")]
        (|path| Animation::gif(path), Film::of_gif),
    ]
}

/// A square of `colour` on white.
fn square(at: [usize; 2], side: usize, colour: [u8; 3]) -> Image {
    let mut image = Image { width: 40, height: 30, rgb: vec![255; 3 * 40 * 30] };
    for pixel in (0..side * side).map(|i| (at[1] + i / side) * 40 + at[0] + i % side) {
        image.rgb[3 * pixel..3 * pixel + 3].copy_from_slice(&colour);
    }
    image
}

#[test]
fn decoded_frames_equal_the_written_frames() {
    let (red, green) = ([255, 0, 0], [3, 200, 101]);
    let frames = [
        (square([0, 0], 5, red), 100),
        (square([30, 20], 10, green), 30),
        (square([30, 20], 10, green), 500),
        (square([30, 20], 3, green), 20),
        (square([0, 20], 10, [0; 3]), 65_530),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (number, (create, read)) in formats().into_iter().enumerate() {
        for plays in [0, 1, 3, 65_535] {
            let path = folder.path().join(format!("film {number} {plays}"));
            let mut animation = create(&path).unwrap().plays(plays);
            for (frame, milliseconds) in &frames {
                animation.frame(frame, *milliseconds).unwrap();
            }
            assert!(!path.exists());
            animation.finish().unwrap();
            let film = read(&path);
            for (at, (frame, milliseconds)) in frames.iter().enumerate() {
                assert!(film.frames[at] == *frame && film.milliseconds[at] == u32::from(*milliseconds), "frame {at}");
            }
            assert_eq!((film.frames.len(), film.plays), (frames.len(), plays.into()));
            // No more than what changes.
            assert_eq!(film.parts[..4], [[0, 0, 40, 30], [0, 0, 40, 30], [0, 0, 1, 1], [30, 20, 10, 10]]);
            assert_eq!(film.parts[4], [0, 20, 33, 10]);
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4 * formats().len());
}

/// A kernel of two classes that separate during training.
fn trained(step: usize) -> Image {
    let n = 60;
    let entry = |i: usize, j: usize| {
        let noise = ((i * 7919 + j * 104_729) % 1009) as f64 / 1009.0;
        1.0 + noise + if (2 * i < n) == (2 * j < n) { step as f64 } else { 0.0 }
    };
    let data: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
    let map = HeatMap::new(n, n, &data).classes(&[("6", 30), ("9", 30)]).range(0.0, 8.0).size(180).label("K(x, x')");
    map.caption(format!("step {}", 4usize.pow(step as u32))).render().unwrap()
}

/// Heat maps have more colours than a GIF. In a GIF all colours are close, and equal colours stay equal.
#[test]
fn kernels_are_animated() {
    let folder = tempfile::tempdir().unwrap();
    let frames: Vec<Image> = (0..6).map(trained).collect();
    for (number, (create, read)) in formats().into_iter().enumerate() {
        let files = ["one", "two"].map(|name| folder.path().join(format!("{name} {number}")));
        for path in &files {
            let mut animation = create(path).unwrap();
            frames.iter().for_each(|frame| animation.frame(frame, 100).unwrap());
            animation.finish().unwrap();
        }
        assert!(fs::read(&files[0]).unwrap() == fs::read(&files[1]).unwrap(), "the same frames give the same bytes");
        let film = read(&files[0]);
        let tolerance = if number == 0 { 0 } else { 3 };
        for (seen, frame) in film.frames.iter().zip(&frames) {
            assert!(seen.rgb.iter().zip(&frame.rgb).all(|(a, b)| a.abs_diff(*b) <= tolerance));
            let exact = |colour: [u8; 3]| {
                let mut pixels = frame.rgb.chunks_exact(3).zip(seen.rgb.chunks_exact(3));
                pixels.all(|(given, seen)| (given == colour) == (seen == colour))
            };
            assert!(exact([255; 3]) && exact([0; 3]));
        }
        let [before, after] = [1, 2].map(|at| (&frames[at].rgb, &film.frames[at].rgb));
        for at in 0..before.0.len() {
            assert!(before.0[at] != after.0[at] || before.1[at] == after.1[at], "the byte {at} flickers");
        }
        assert!(film.parts[1..].iter().all(|&[_, _, width, height]| width == 180 && height < frames[0].height - 60));
    }
}

#[test]
fn an_unfinished_animation_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film");
    for (create, _) in formats() {
        drop(create(&path).unwrap());
        let mut animation = create(&path).unwrap();
        animation.frame(&square([0, 0], 1, [0; 3]), 1).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(animation);
        let error = create(&path).unwrap().finish().unwrap_err();
        assert!(error.is_shape() && error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        fs::write(&path, "the previous file").unwrap();
        let mut animation = create(&path).unwrap();
        animation.frame(&square([0, 0], 1, [0; 3]), 1).unwrap();
        drop(animation);
        assert_eq!(fs::read(&path).unwrap(), b"the previous file");
        fs::remove_file(&path).unwrap();

        for wrong in [folder.path(), &folder.path().join("missing/film")] {
            let error = create(wrong).err().unwrap();
            assert!(error.is_io() && error.to_string().contains(wrong.to_str().unwrap()), "{error}");
        }
    }
}

#[test]
fn frames_of_another_size_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film");
    let first = square([0, 0], 9, [1, 2, 3]);
    for (create, read) in formats() {
        let mut animation = create(&path).unwrap();
        animation.frame(&first, 100).unwrap();
        let other = Image { width: 30, height: 40, rgb: first.rgb.clone() };
        let error = animation.frame(&other, 100).unwrap_err();
        let says = ["frame 1", "30 x 40", "40 x 30", path.to_str().unwrap()];
        assert!(error.is_shape() && says.iter().all(|part| error.to_string().contains(part)), "{error}");
        assert!(animation.frame(&Image { rgb: vec![0; 7], ..first.clone() }, 100).unwrap_err().is_shape());
        // The animation continues without them.
        animation.frame(&first, 100).unwrap();
        animation.finish().unwrap();
        assert_eq!(read(&path).frames.len(), 2);
        fs::remove_file(&path).unwrap();

        let mut animation = create(&path).unwrap();
        assert!(animation.frame(&Image { width: 0, height: 0, rgb: Vec::new() }, 100).unwrap_err().is_shape());
        // After that the animation cannot be finished.
        assert!(animation.frame(&first, 100).is_err() && animation.finish().is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[cfg(feature = "gif")]
#[test]
fn gifs_have_limits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.gif");
    let wide = Image { width: 65_536, height: 1, rgb: vec![0; 3 * 65_536] };
    let error = Animation::gif(&path).unwrap().frame(&wide, 100).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("65536 x 1"), "{error}");

    // 256 colours are exact, 257 are not.
    let colours = |count: usize| Image {
        width: count,
        height: 1,
        rgb: (0..count).flat_map(|i| [(i % 256) as u8, (i / 256) as u8, 77]).collect(),
    };
    for (count, exact) in [(256, true), (257, false)] {
        let mut animation = Animation::gif(&path).unwrap();
        animation.frame(&colours(count), 4).unwrap();
        animation.finish().unwrap();
        let film = Film::of_gif(&path);
        assert_eq!(film.frames[0] == colours(count), exact, "{count}");
        assert_eq!(film.milliseconds, [20], "programs take less for nothing said");
    }

    // A frame of few colours after one of many: equal colours stay equal.
    let mut few = colours(257);
    few.rgb[..3 * 100].fill(0);
    few.rgb[3 * 101..].fill(0);
    let mut animation = Animation::gif(&path).unwrap();
    animation.frame(&colours(257), 100).unwrap();
    animation.frame(&few, 100).unwrap();
    animation.finish().unwrap();
    let [many, few] = &Film::of_gif(&path).frames[..] else { panic!("two frames") };
    assert_eq!(many.rgb[3 * 100..3 * 101], few.rgb[3 * 100..3 * 101]);

    // All possible colours are accepted.
    let all =
        Image { width: 512, height: 512, rgb: (0..3 * 512 * 512).map(|i: usize| (i * i / 7 % 256) as u8).collect() };
    let mut animation = Animation::gif(&path).unwrap();
    animation.frame(&all, 100).unwrap();
    animation.finish().unwrap();
    assert!(Film::of_gif(&path).frames[0].rgb.iter().zip(&all.rgb).all(|(a, b)| a.abs_diff(*b) <= 43));
}
