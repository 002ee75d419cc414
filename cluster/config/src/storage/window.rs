//! A daily span of time in UTC.

use serde_json::Value;

use crate::setting::{Found, Setting};

/// A daily span in UTC, such as `22:00-04:30`: the start belongs to it, the end does not, and midnight may lie within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    start: u16,
    end: u16,
}

impl TimeWindow {
    /// Whether a minute of the day, counted from midnight UTC, lies in the window.
    #[must_use]
    pub fn contains(self, minute_of_day: u16) -> bool {
        if self.start < self.end {
            return (self.start..self.end).contains(&minute_of_day);
        }
        minute_of_day >= self.start || minute_of_day < self.end
    }

    fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let window = Self { start: minute_of_day(start)?, end: minute_of_day(end)? };
        (window.start != window.end).then_some(window)
    }
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    Some(two_digits(hours, 23)? * 60 + two_digits(minutes, 59)?)
}

fn two_digits(text: &str, most: u16) -> Option<u16> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number <= most)
}

impl Setting for TimeWindow {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(found: &Found<'_>) -> Option<Self> {
        let read = found.value.as_str().and_then(Self::parse);
        if read.is_none() {
            found.expected("a daily window in UTC with two different ends, such as `22:00-04:30`");
        }
        read
    }

    fn show(&self) -> Value {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        Value::String(format!("{}-{}", clock(self.start), clock(self.end)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_may_lie_across_midnight() {
        let window = TimeWindow::parse(" 22:00 - 04:30 ").unwrap();
        assert!([22 * 60, 0, 4 * 60 + 29].into_iter().all(|minute| window.contains(minute)));
        assert!([4 * 60 + 30, 12 * 60, 21 * 60 + 59].into_iter().all(|minute| !window.contains(minute)));
        assert_eq!(window.show(), "22:00-04:30");
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in ["", "22:00", "22:00-22:00", "24:00-01:00", "1:00-02:00", "01:60-02:00", "01:00-02:00-03:00", "+1:00-02:00"] {
            assert_eq!(TimeWindow::parse(text), None, "{text}");
        }
    }

    const MINUTES: u16 = 24 * 60;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}") {
            let _ = TimeWindow::parse(&text);
        }

        #[test]
        fn what_looks_like_a_window_is_one_that_is_read_back_or_refused(text in " ?[0-2]?[0-9]:[0-6][0-9] ?[-–] ?[0-2][0-9]:[0-6][0-9]?") {
            if let Some(window) = TimeWindow::parse(&text) {
                prop_assert!(window.start < MINUTES && window.end < MINUTES);
                let shown = window.show();
                prop_assert_eq!(shown.as_str(), Some(&*text.replace(' ', "")));
            }
        }

        #[test]
        fn what_is_shown_is_read_back_and_turned_around_holds_all_other_minutes(start in 0..MINUTES, end in 0..MINUTES, minute in 0..MINUTES) {
            prop_assume!(start != end);
            let (window, others) = (TimeWindow { start, end }, TimeWindow { start: end, end: start });
            prop_assert_eq!(window.show().as_str().and_then(TimeWindow::parse), Some(window));
            prop_assert!(window.contains(minute) != others.contains(minute));
        }
    }
}
