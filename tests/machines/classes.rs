use tangent_kernels::analysis::{Ridge, accuracy, argmax, class_accuracy, signed_targets};

use crate::*;

#[test]
fn classes_by_hand() {
    assert_eq!(signed_targets(&[1, 0, 1], 2).unwrap(), [-1.0, 1.0, 1.0, -1.0, -1.0, 1.0]);
    assert!(signed_targets(&[0, 3], 3).unwrap_err().to_string().contains("sample 1 is 3"));
    let scores = [0.0, 2.0, 1.0, 5.0, 5.0, -1.0, -3.0, -2.0, -2.5];
    assert_eq!(argmax(&scores, 3).unwrap(), [1, 0, 1]);
    assert_eq!(argmax(&scores, 1).unwrap(), [0; 9]);
    assert_eq!(argmax(&[f64::NEG_INFINITY, -1.0], 2).unwrap(), [1]);
    assert!(argmax(&[], 3).unwrap().is_empty());
    // The first and the last are right; the second shares its largest score, so it has no class.
    assert_eq!(class_accuracy(&scores, &[1, 0, 1]).unwrap(), 2.0 / 3.0);
    assert_eq!(class_accuracy(&scores, &[2, 2, 0]).unwrap(), 0.0);
    assert!(argmax(&scores, 2).unwrap_err().is_shape() && argmax(&scores, 0).unwrap_err().is_shape());
    assert!(argmax(&[1.0, f64::NAN], 2).unwrap_err().to_string().contains("class 1 of sample 0"));
    assert!(class_accuracy(&scores, &[0, 1]).unwrap_err().is_shape());
    assert!(class_accuracy(&[], &[]).unwrap_err().is_shape());
    assert!(class_accuracy(&scores, &[0, 1, 3]).unwrap_err().is_value());
}

#[test]
fn two_classes_by_sign_and_by_the_larger_score_are_one() {
    let (train, test) = (random(30, 40, 11), random(25, 40, 12));
    let classes: Vec<usize> = (0..30).map(|n| usize::from(train[(n, 0)] + train[(n, 1)] > 0.0)).collect();
    let truth: Vec<usize> = (0..25).map(|n| usize::from(test[(n, 0)] + test[(n, 1)] > 0.0)).collect();
    let (kernel, cross) = (gram(&train), kernel(&test, &train));
    let scores = Ridge::fit(&kernel, &signed_targets(&classes, 2).unwrap(), 1.0).unwrap().predict(&cross).unwrap();
    let sign = |classes: &[usize]| classes.iter().map(|&c| if c == 1 { 1.0 } else { -1.0 }).collect::<Vec<f64>>();
    let one = Ridge::fit(&kernel, &sign(&classes), 1.0).unwrap().predict(&cross).unwrap();
    let share = class_accuracy(&scores, &truth).unwrap();
    assert!(share > 0.6 && share < 1.0, "{share}");
    assert_eq!(share, accuracy(&one, &sign(&truth)).unwrap());
    // A score of 0 has no class in either.
    assert_eq!(class_accuracy(&[0.0, 0.0], &[0]).unwrap(), accuracy(&[0.0], &[-1.0]).unwrap());
}

#[test]
fn targets_of_0_decide_as_those_of_minus_1() {
    let classes: Vec<usize> = (0..40).map(|n| (n * n + n / 3) % 4).collect();
    let (train, test) = (random(40, 10, 13), random(60, 10, 14));
    let targets = signed_targets(&classes, 4).unwrap();
    let zeros: Vec<f64> = targets.iter().map(|y| (y + 1.0) / 2.0).collect();
    let decided = |targets: &[f64]| {
        let ridge = Ridge::fit(&gram(&train), targets, 0.5).unwrap();
        argmax(&ridge.predict(&kernel(&test, &train)).unwrap(), 4).unwrap()
    };
    assert_eq!(decided(&targets), decided(&zeros));
}
