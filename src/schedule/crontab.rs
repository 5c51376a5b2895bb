//! A line of crontab(5) to sets of numbers, and these to what the `cron` crate reads.
//!
//! The crate wants seconds, counts weekdays 1-7 from Sunday, demands both days where crontab is
//! content with either, and panics on a step of zero. So the text is read here, with messages that say
//! which field is wrong, and the crate is given plain lists: it only walks the calendar.
//!
//! Not taken: `@reboot` (no time at all), `L`, `W`, `#`, `?` and other extensions.

/// Which numbers of each field a line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crontab {
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    /// From 0, Sunday, to 6.
    weekdays: Set,
}

/// Numbers below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set {
    bits: u64,
    /// Written with a leading star, which decides how the two kinds of days go together.
    is_star: bool,
}

/// Why a text is no line of crontab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCrontab {
    #[error("\"{text}\" has {fields} fields instead of five: minute, hour, day of the month, month, day of the week")]
    Fields { text: String, fields: usize },
    #[error("there is no {0}; known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually")]
    Name(String),
    #[error("the {field} \"{text}\" is no number{names}, range (1-5), list (1,3) or step (*/5)")]
    Item { field: &'static str, text: String, names: &'static str },
    #[error("the {field} {number} is not in {least}-{most}")]
    Range { field: &'static str, number: u32, least: u32, most: u32 },
    #[error("the {field} \"{text}\" runs backwards")]
    Backwards { field: &'static str, text: String },
    #[error("the {field} \"{text}\" has a step of zero")]
    Step { field: &'static str, text: String },
    #[error("\"{0}\" names a day that no month has")]
    Never(String),
}

/// One of the five fields.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Three letters each; the first stands for `least`.
    names: &'static [&'static str],
    hint: &'static str,
}

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[], hint: "" };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[], hint: "" };
const DAY: Field = Field { name: "day of the month", least: 1, most: 31, names: &[], hint: "" };
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    hint: ", name (JAN)",
};
/// 7 is Sunday too.
const WEEKDAY: Field = Field {
    name: "day of the week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    hint: ", name (MON)",
};

impl Crontab {
    pub(super) fn parse(text: &str) -> Result<Self, BadCrontab> {
        let line = match text.trim() {
            name if name.starts_with('@') => named(name)?,
            line => line,
        };
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(BadCrontab::Fields { text: text.to_owned(), fields: fields.len() });
        };
        let mut weekdays = WEEKDAY.parse(weekday)?;
        if weekdays.has(7) {
            weekdays.bits = (weekdays.bits | 1) & !(1 << 7);
        }
        let crontab = Self {
            minutes: MINUTE.parse(minute)?,
            hours: HOUR.parse(hour)?,
            days: DAY.parse(day)?,
            months: MONTH.parse(month)?,
            weekdays,
        };
        if crontab.is_never() {
            return Err(BadCrontab::Never(text.to_owned()));
        }
        Ok(crontab)
    }

    /// `0 0 30 2 *`: only a weekday could save it, and that counts only where both are given.
    fn is_never(&self) -> bool {
        let longest = |month: u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let is_some =
            (1..=12).any(|month| self.months.has(month) && (1..=longest(month)).any(|day| self.days.has(day)));
        !is_some && !self.is_either_day()
    }

    /// crontab(5): "the command will be run when either field matches", unless one begins with a star.
    fn is_either_day(&self) -> bool {
        !self.days.is_star && !self.weekdays.is_star
    }

    /// One line for the `cron` crate, or two where either day is enough.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.is_either_day() {
            return vec![self.line(self.days, WEEKDAY.all()), self.line(DAY.all(), self.weekdays)];
        }
        vec![self.line(self.days, self.weekdays)]
    }

    fn line(&self, days: Set, weekdays: Set) -> String {
        let mut line = String::from("0");
        for (set, field) in [(self.minutes, &MINUTE), (self.hours, &HOUR), (days, &DAY), (self.months, &MONTH)] {
            line.push(' ');
            line.push_str(&field.list(set, |number| number.to_string()));
        }
        let name = |number: u32| WEEKDAY.names.get(number as usize).copied().unwrap_or_default().to_uppercase();
        line.push(' ');
        line.push_str(&WEEKDAY.list(weekdays, name));
        line
    }
}

impl Set {
    fn has(self, number: u32) -> bool {
        self.bits & (1 << number) != 0
    }
}

impl Field {
    /// Every number, with 7 as the Sunday it is.
    fn all(&self) -> Set {
        let numbers = self.least..=self.most.min(if self.least == 0 && self.most == 7 { 6 } else { self.most });
        Set { bits: numbers.fold(0, |bits, number| bits | 1 << number), is_star: true }
    }

    /// Comma-separated, as the crate reads it; `*` for all, which it walks faster.
    fn list(&self, set: Set, name: impl Fn(u32) -> String) -> String {
        if set.bits == self.all().bits {
            return "*".to_owned();
        }
        let names: Vec<String> = (self.least..=self.most).filter(|number| set.has(*number)).map(name).collect();
        names.join(",")
    }

    fn parse(&self, text: &str) -> Result<Set, BadCrontab> {
        let mut bits = 0;
        for item in text.split(',') {
            bits |= self.item(item)?;
        }
        Ok(Set { bits, is_star: text.starts_with('*') })
    }

    /// `*`, `3`, `1-5`, `*/5`, `1-30/5`; `3/5` begins at 3, as most crons have it.
    fn item(&self, item: &str) -> Result<u64, BadCrontab> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => (self.number(first)?, self.last(last)?),
            None if step.is_some() => (self.number(range)?, self.most),
            None => (self.number(range)?, self.number(range)?),
        };
        if first > last {
            return Err(BadCrontab::Backwards { field: self.name, text: item.to_owned() });
        }
        let numbers = (first..=last).step_by(step.unwrap_or(1));
        Ok(numbers.fold(0, |bits, number| bits | 1 << number))
    }

    /// The end of a range; `FRI-SUN` ends with the Sunday that is 7.
    fn last(&self, text: &str) -> Result<u32, BadCrontab> {
        match self.number(text)? {
            0 if self.most == 7 && text != "0" => Ok(7),
            number => Ok(number),
        }
    }

    fn step(&self, item: &str, text: &str) -> Result<usize, BadCrontab> {
        match digits(text) {
            None => Err(self.no_item(item)),
            Some(0) => Err(BadCrontab::Step { field: self.name, text: item.to_owned() }),
            Some(step) => Ok(step as usize),
        }
    }

    fn number(&self, text: &str) -> Result<u32, BadCrontab> {
        if let Some(number) = digits(text) {
            return match (self.least..=self.most).contains(&number) {
                true => Ok(number),
                false => Err(BadCrontab::Range { field: self.name, number, least: self.least, most: self.most }),
            };
        }
        let found = (self.least..).zip(self.names).find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(number, _)| number).ok_or_else(|| self.no_item(text))
    }

    fn no_item(&self, text: &str) -> BadCrontab {
        BadCrontab::Item { field: self.name, text: text.to_owned(), names: self.hint }
    }
}

/// A number without a sign, of at most four digits.
fn digits(text: &str) -> Option<u32> {
    let is_digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

fn named(name: &str) -> Result<&'static str, BadCrontab> {
    match name {
        "@hourly" => Ok("0 * * * *"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@monthly" => Ok("0 0 1 * *"),
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        _ => Err(BadCrontab::Name(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        Crontab::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).lines()
    }

    #[test]
    fn weekdays_count_from_sunday_as_in_crontab() {
        for (text, days) in [
            ("1-5", "MON,TUE,WED,THU,FRI"),
            ("mon-Fri", "MON,TUE,WED,THU,FRI"),
            ("0", "SUN"),
            ("7", "SUN"),
            ("SUN", "SUN"),
            ("5-7", "SUN,FRI,SAT"),
            ("FRI-SUN", "SUN,FRI,SAT"),
            ("0-6", "*"),
            ("*/2", "SUN,TUE,THU,SAT"),
            ("1,3", "MON,WED"),
        ] {
            assert_eq!(lines(&format!("0 0 * * {text}")), [format!("0 0 0 * * {days}")], "{text}");
        }
    }

    #[test]
    fn either_day_is_enough_where_both_are_given() {
        assert_eq!(lines("0 0 13 * 5"), ["0 0 0 13 * *", "0 0 0 * * FRI"]);
        // A leading star makes it both.
        assert_eq!(lines("0 0 */10 * 5"), ["0 0 0 1,11,21,31 * FRI"]);
        assert_eq!(lines("*/20 1-5/2,22 * FEB,12 *"), ["0 0,20,40 1,3,5,22 * 2,12 *"]);
        assert_eq!(lines("50/5 0 * * *"), ["0 50,55 0 * * *"]);
        assert_eq!(lines("@daily"), ["0 0 0 * * *"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("* * * *", "has 4 fields instead of five"),
            ("", "has 0 fields instead of five"),
            ("0 */5 * * * *", "has 6 fields"),
            ("60 * * * *", "the minute 60 is not in 0-59"),
            ("* 24 * * *", "the hour 24 is not in 0-23"),
            ("* * 0 * *", "the day of the month 0 is not in 1-31"),
            ("* * * 13 *", "the month 13 is not in 1-12"),
            ("* * * * 8", "the day of the week 8 is not in 0-7"),
            ("*/0 * * * *", "has a step of zero"),
            ("5-1 * * * *", "runs backwards"),
            ("0 0 * * sat-mon", "runs backwards"),
            ("x * * * *", "the minute \"x\" is no number, range"),
            ("* * * * mo", "name (MON)"),
            ("-1 * * * *", "is no number"),
            ("1,,2 * * * *", "is no number"),
            ("99999999999 * * * *", "is no number"),
            ("* * L * *", "is no number"),
            ("0 0 30 2 *", "no month has"),
            ("@reboot", "there is no @reboot"),
        ] {
            let error = Crontab::parse(text).expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        assert!(Crontab::parse("0 0 30 2 1").is_ok());
    }
}
