//! From generic tests to test functions.

/// Names the tests of a module of [`suite`](mod@crate::suite): those that run `everywhere`, those
/// that need workers `in_parallel` with the test itself, and those that are about what is
/// `dropped`, an [executor that ends then](crate::EndsWhenDropped). Makes a macro of the module's name,
/// which makes test functions of them for one fixture.
#[macro_export]
macro_rules! suite {
    ($module:ident: everywhere [$($everywhere:ident),* $(,)?]
        in_parallel [$($in_parallel:ident),* $(,)?]
        $(dropped [$($dropped:ident),* $(,)?])?) => {
        $crate::suite!(@($) $module [$($everywhere)*] [$($in_parallel)*] [$($($dropped)*)?]);
    };
    (@($d:tt) $module:ident [$($everywhere:ident)*] [$($in_parallel:ident)*] [$($dropped:ident)*]) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $module {
            (everywhere $d fixture:ty) => {
                $(#[test]
                fn $everywhere() {
                    $crate::run::<$d fixture>(
                        concat!(stringify!($module), "::", stringify!($everywhere)),
                        $crate::suite::$module::$everywhere::<$d fixture>,
                    );
                })*
            };
            (in_parallel $d fixture:ty) => {
                $crate::$module!(everywhere $d fixture);
                $(#[test]
                fn $in_parallel() {
                    $crate::run::<$d fixture>(
                        concat!(stringify!($module), "::", stringify!($in_parallel)),
                        $crate::suite::$module::$in_parallel::<$d fixture>,
                    );
                })*
            };
            (dropped $d fixture:ty) => {
                $crate::$module!(in_parallel $d fixture);
                $(#[test]
                fn $dropped() {
                    $crate::run::<$d fixture>(
                        concat!(stringify!($module), "::", stringify!($dropped)),
                        $crate::suite::$module::$dropped::<$d fixture>,
                    );
                })*
            };
        }
    };
}

/// The suite for one fixture: `everywhere` the tests that need no parallel workers, `in_parallel`
/// those that do as well, `dropped` all of them.
#[macro_export]
macro_rules! suites {
    ($which:ident $fixture:ty) => {
        $crate::suites!(@ $which $fixture:
            ambient_tests as_completed_tests bridge_tests context_tests deadlock_tests drop_tests executor_tests
            future_tests initializer_tests python_goes_wrong shared_tests shutdown_tests time_tests wait_shared_tests wait_tests);
    };
    (@ $which:ident $fixture:ty: $($module:ident)*) => {
        $(mod $module {
            $crate::$module!($which $fixture);
        })*
    };
}

/// Names the tests of a module of [`travelling`](crate::travelling), and makes a function of it that
/// gives them for one fixture.
macro_rules! trials {
    ($module:ident: $($test:ident),* $(,)?) => {
        /// The tests of this module, for one fixture.
        pub fn trials<F: $crate::travelling::Fixture>() -> Vec<$crate::travelling::NamedTest> {
            vec![$((
                concat!(stringify!($module), "::", stringify!($test)),
                || $crate::run_for($crate::PATIENCE, $test::<F>),
            )),*]
        }
    };
}

pub(crate) use trials;
