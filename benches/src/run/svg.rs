//! Line charts as SVG.
//!
//! Written by hand: plotting crates bring a dozen crates for browsers into the lock file of everything here.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;
/// Told apart by those who see colours differently, too (Okabe and Ito), then shades for the rest.
const COLOURS: [&str; 12] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b",
    "#7f7f7f", "#9467bd", "#bcbd22", "#17becf",
];

/// A chart of lines. Both axes are logarithmic, or the first one has steps.
#[derive(Debug)]
pub(super) struct Chart {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x_title: String,
    /// To its left.
    pub y_title: String,
    /// What stands where below it.
    pub x_ticks: Vec<(f64, String)>,
    /// Whether the first axis is logarithmic.
    pub x_log: bool,
    /// A name and its points.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// From values to places.
struct Scale {
    log: bool,
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    fn new(log: bool, values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            from = from.min(value);
            to = to.max(value);
        }
        if !from.is_finite() || !to.is_finite() {
            (from, to) = (1.0, 10.0);
        }
        Self { log, from, to, start, end }
    }

    /// Reaches from one power of ten to another.
    fn whole_decades(self) -> Self {
        let from = 10_f64.powf(self.from.log10().floor());
        let to = 10_f64.powf(self.to.log10().ceil()).max(from * 10.0);
        Self { from, to, ..self }
    }

    fn place(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.log { value.log10() } else { value };
        let span = scaled(self.to) - scaled(self.from);
        let share = if span == 0.0 { 0.5 } else { (scaled(value) - scaled(self.from)) / span };
        self.start + share * (self.end - self.start)
    }
}

impl Chart {
    /// The chart as a file.
    pub(super) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.1).copied();
        let right = WIDTH - RIGHT;
        let x = Scale::new(self.x_log, points().map(|point| point.0), LEFT + 16.0, right - 16.0);
        let ys = points().map(|point| point.1).filter(|y| *y > 0.0);
        let y = Scale::new(true, ys, HEIGHT - BOTTOM, TOP).whole_decades();
        let mut svg = String::new();
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">"
        );
        let _ = writeln!(svg, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>");
        self.frame(&mut svg, &x, &y);
        for (index, (name, points)) in self.lines.iter().enumerate() {
            line(&mut svg, index, name, points, &x, &y);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn frame(&self, svg: &mut String, x: &Scale, y: &Scale) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        text(svg, LEFT, 24.0, "start", &self.title);
        text(svg, f64::midpoint(LEFT, right), HEIGHT - 14.0, "middle", &self.x_title);
        text(svg, 8.0, TOP - 6.0, "start", &self.y_title);
        let mut decade = y.from;
        while decade <= y.to * 1.001 {
            let at = y.place(decade);
            rule(svg, (LEFT, at), (right, at));
            text(svg, LEFT - 8.0, at + 4.0, "end", &short(decade));
            decade *= 10.0;
        }
        for (value, name) in &self.x_ticks {
            let at = x.place(*value);
            rule(svg, (at, TOP), (at, bottom));
            text(svg, at, bottom + 18.0, "middle", name);
        }
    }
}

fn line(svg: &mut String, index: usize, name: &str, points: &[(f64, f64)], x: &Scale, y: &Scale) {
    let colour = COLOURS[index % COLOURS.len()];
    let dashes = ["", "6 3", "2 3"][(index / COLOURS.len()).min(2)];
    let mut path = String::new();
    for (px, py) in points.iter().filter(|point| point.1 > 0.0) {
        let (px, py) = (x.place(*px), y.place(*py));
        let _ = write!(path, "{px:.1},{py:.1} ");
        let _ = writeln!(svg, "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
        path.trim_end()
    );
    let (left, top) = (WIDTH - RIGHT + 14.0, TOP + 8.0 + index as f64 * 20.0);
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>",
        top - 4.0
    );
    text(svg, left + 20.0, top + 2.0, "start", name);
}

fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

fn short(value: f64) -> String {
    match value {
        1e9.. => format!("{:.0} G", value / 1e9),
        1e6.. => format!("{:.0} M", value / 1e6),
        1e3.. => format!("{:.0} k", value / 1e3),
        1.0.. => format!("{value:.0}"),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(lines: Vec<(String, Vec<(f64, f64)>)>) -> String {
        let x_ticks = vec![(1.0, "1".into()), (32.0, "32".into())];
        let (x_title, y_title) = ("threads".into(), "a second".into());
        Chart { title: "a < b".into(), x_title, y_title, x_ticks, x_log: true, lines }.svg()
    }

    #[test]
    fn every_point_is_inside_of_the_frame() {
        let svg = chart(vec![("ours".into(), vec![(1.0, 3.0), (8.0, 4e7), (32.0, 999.0)])]);
        let places = svg.lines().filter(|line| line.starts_with("<circle"));
        let mut count = 0;
        for place in places {
            let numbers: Vec<f64> = place.split('"').filter_map(|each| each.parse().ok()).collect();
            assert!((LEFT..WIDTH - RIGHT).contains(&numbers[0]), "{place}");
            assert!((TOP..=HEIGHT - BOTTOM).contains(&numbers[1]), "{place}");
            count += 1;
        }
        assert_eq!(count, 3);
        assert!(svg.contains("a &lt; b"));
    }

    #[test]
    fn a_chart_of_nothing_is_still_a_chart() {
        for lines in [Vec::new(), vec![("none".into(), Vec::new())]] {
            let svg = chart(lines);
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"));
        }
    }
}
