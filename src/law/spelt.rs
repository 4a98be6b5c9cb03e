//! Steps of a written formula as a person reads them.

use super::Variable;
use super::formula::Coefficient;
use super::steps::Step;

/// How tightly a text holds together: a sum, a product, a minus sign, a power, one word.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Tie {
    Sum,
    Product,
    Minus,
    Power,
    Word,
}

/// `L(N, D) = …`.
pub(super) fn spelt(steps: &[Step], coefficients: &[Coefficient], variables: &[Variable]) -> String {
    let of: Vec<&str> = variables.iter().map(|variable| variable.name()).collect();
    format!("L({}) = {}", of.join(", "), part(steps, coefficients, steps.len() - 1).0)
}

fn part(steps: &[Step], coefficients: &[Coefficient], at: usize) -> (String, Tie) {
    let within = |at: usize, least: Tie| {
        let (text, tie) = part(steps, coefficients, at);
        if tie < least { format!("({text})") } else { text }
    };
    let call = |name: &str, parts: &[usize]| {
        let parts: Vec<String> = parts.iter().map(|&at| within(at, Tie::Sum)).collect();
        (format!("{name}({})", parts.join(", ")), Tie::Word)
    };
    match steps[at] {
        Step::Coefficient(j) => (coefficients[j].name.to_owned(), Tie::Word),
        Step::Variable(variable) => (variable.name().to_owned(), Tie::Word),
        Step::Number(value) if value < 0.0 => (value.to_string(), Tie::Minus),
        Step::Number(value) => (value.to_string(), Tie::Word),
        Step::Add(x, y) => (format!("{} + {}", within(x, Tie::Sum), within(y, Tie::Sum)), Tie::Sum),
        Step::Subtract(x, y) => (format!("{} - {}", within(x, Tie::Sum), within(y, Tie::Product)), Tie::Sum),
        Step::Multiply(x, y) => (format!("{}*{}", within(x, Tie::Product), within(y, Tie::Power)), Tie::Product),
        Step::Divide(x, y) => (format!("{}/{}", within(x, Tie::Product), within(y, Tie::Power)), Tie::Product),
        Step::Power(x, y) => (format!("{}^{}", within(x, Tie::Word), within(y, Tie::Word)), Tie::Power),
        Step::PowerOf(variable, y) => (format!("{}^{}", variable.name(), within(y, Tie::Word)), Tie::Power),
        Step::Negate(x) => (format!("-{}", within(x, Tie::Minus)), Tie::Minus),
        Step::Exp(x) => call("exp", &[x]),
        Step::Ln(x) => call("ln", &[x]),
        Step::Max(x, y) => call("max", &[x, y]),
        Step::Min(x, y) => call("min", &[x, y]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_stand_where_the_order_needs_them() {
        let (n, d) = (Step::Variable(Variable::N), Step::Variable(Variable::D));
        let said = |steps: &[Step]| spelt(steps, &[Coefficient::floor("E")], &[Variable::N, Variable::D]);
        let sum = [Step::Coefficient(0), n, d, Step::Add(1, 2)];
        let then = |last: &[Step]| said(&[&sum[..], last].concat());
        assert_eq!(then(&[Step::Multiply(0, 3)]), "L(N, D) = E*(N + D)");
        assert_eq!(then(&[Step::Subtract(0, 3)]), "L(N, D) = E - (N + D)");
        assert_eq!(then(&[Step::Divide(0, 3), Step::Divide(0, 4)]), "L(N, D) = E/(E/(N + D))");
        assert_eq!(then(&[Step::Power(3, 0), Step::Negate(4)]), "L(N, D) = -(N + D)^E");
        assert_eq!(then(&[Step::Ln(3), Step::Max(0, 4), Step::Number(-2.0), Step::Power(5, 6)]), "L(N, D) = max(E, ln(N + D))^(-2)");
    }
}
