//! Conditions, in the shortest of the forms that mean the same: by De Morgan's laws each `&&` and `||` can be turned
//! about, and what it costs to say it either way is reckoned for the whole of a condition.

use oxc::allocator::{Allocator, TakeIn};
use oxc::ast::ast::{
    ConditionalExpression, DoWhileStatement, Expression, ExpressionStatement, ForStatement, ForStatementInit,
    IfStatement, LogicalExpression, LogicalOperator, Program, ReturnStatement, SequenceExpression, UnaryOperator,
    WhileStatement,
};
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::span::{ContentEq, GetSpan};

/// Shortens the conditions of a program that is about to be printed.
pub(super) fn shorten<'a>(program: &mut Program<'a>, allocator: &'a Allocator) {
    Shortening {
        ast: AstBuilder::new(allocator),
        allocator,
    }
    .visit_program(program);
}

struct Shortening<'a> {
    ast: AstBuilder<'a>,
    allocator: &'a Allocator,
}

/// More than any expression costs: what must not be said.
const NEVER: u32 = 1 << 20;

/// What an expression costs in characters beside its leaves, by what it is at its top.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Something that `!` can stand before.
    tight: u32,
    /// A comparison, a sum and their like.
    binary: u32,
    and: u32,
    or: u32,
    /// What is put in brackets anywhere in a condition.
    loose: u32,
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where it needs no brackets.
    Free,
    /// Before a `?`.
    Test,
    /// Beside a `||`.
    Or,
    /// Beside a `&&`.
    And,
    /// After a `!`.
    Not,
}

impl Place {
    const fn beside(operator: LogicalOperator) -> Self {
        if matches!(operator, LogicalOperator::And) {
            Self::And
        } else {
            Self::Or
        }
    }
}

/// What of an expression counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Whether it is so.
    Truth,
    /// That it is `true` or `false`.
    Boolean,
}

impl Cost {
    const NONE: Self = Self {
        tight: NEVER,
        binary: NEVER,
        and: NEVER,
        or: NEVER,
        loose: NEVER,
    };

    fn within(self, place: Place) -> u32 {
        let (binary, and, or, loose) = match place {
            Place::Free => (0, 0, 0, 0),
            Place::Test | Place::Or => (0, 0, 0, 2),
            Place::And => (0, 0, 2, 2),
            Place::Not => (2, 2, 2, 2),
        };
        let least = self.tight.min(self.binary + binary).min(self.and + and);
        least.min(self.or + or).min(self.loose + loose).min(NEVER)
    }

    const fn of_chain(operator: LogicalOperator, cost: u32) -> Self {
        match operator {
            LogicalOperator::And => Self {
                and: cost,
                ..Self::NONE
            },
            _ => Self { or: cost, ..Self::NONE },
        }
    }
}

/// What it costs to say that something is not so (first) and that it is (second), by what of it counts.
#[derive(Debug, Clone, Copy)]
struct Costs {
    truth: [Cost; 2],
    boolean: [Cost; 2],
}

impl Costs {
    fn of(expression: &Expression<'_>) -> Self {
        match expression {
            Expression::LogicalExpression(it) if !it.operator.is_coalesce() => {
                let mut parts = Vec::new();
                operands(it, it.operator, &mut |part| parts.push(Self::of(part)));
                Self::of_chain(it.operator, &parts)
            }
            Expression::UnaryExpression(it) if it.operator.is_not() => {
                let Self { truth, boolean } = Self::of(&it.argument);
                Self {
                    truth: [truth[1], truth[0]],
                    boolean: [boolean[1], boolean[0]],
                }
            }
            _ => Self::of_leaf(expression),
        }
    }

    fn of_leaf(expression: &Expression<'_>) -> Self {
        let leaf = Leaf::of(expression);
        let (mut is, mut is_not) = (Cost::NONE, Cost::NONE);
        match leaf {
            Leaf::Tight => (is.tight, is_not.tight) = (0, 1),
            // `==` and `!=` are of one length.
            Leaf::Equality => (is.binary, is_not.binary) = (0, 0),
            Leaf::Binary => (is.binary, is_not.tight) = (0, 3),
            Leaf::Loose => (is.loose, is_not.tight) = (0, 3),
        }
        let is_boolean = if is_boolean(expression) {
            is
        } else {
            let tight = 2 + is.within(Place::Not);
            Cost { tight, ..Cost::NONE }
        };
        Self {
            truth: [is_not, is],
            boolean: [is_not, is_boolean],
        }
    }

    fn of_chain(operator: LogicalOperator, parts: &[Self]) -> Self {
        let of = |so: bool, need: Need| {
            let cost = Cost::of_chain(turned(operator, so), joined(operator, parts, so, need));
            let denied = 3 + joined(operator, parts, !so, Need::Truth);
            let tight = denied.min(NEVER);
            Cost { tight, ..cost }
        };
        Self {
            truth: [of(false, Need::Truth), of(true, Need::Truth)],
            boolean: [of(false, Need::Boolean), of(true, Need::Boolean)],
        }
    }

    const fn get(&self, so: bool, need: Need) -> Cost {
        match need {
            Need::Truth => self.truth[so as usize],
            Need::Boolean => self.boolean[so as usize],
        }
    }

    /// As [`of`](Self::of) for the one way that it is written in.
    fn as_written(expression: &Expression<'_>) -> Cost {
        match expression {
            Expression::LogicalExpression(it) if !it.operator.is_coalesce() => {
                let mut sum = 0;
                operands(it, it.operator, &mut |part| {
                    sum += Self::as_written(part).within(Place::beside(it.operator));
                });
                Cost::of_chain(it.operator, sum)
            }
            Expression::UnaryExpression(it) if it.operator.is_not() => Cost {
                tight: 1 + Self::as_written(&it.argument).within(Place::Not),
                ..Cost::NONE
            },
            _ => Self::of_leaf(expression).truth[1],
        }
    }
}

/// What parts cost with an operator between them, or with the other one if what they say together is not so.
fn joined(operator: LogicalOperator, parts: &[Costs], so: bool, need: Need) -> u32 {
    let place = Place::beside(turned(operator, so));
    let costs = parts.iter().map(|part| part.get(so, need).within(place));
    costs.fold(0, u32::saturating_add).min(NEVER)
}

/// The operator that says the same of parts that are all denied, where it is not so.
const fn turned(operator: LogicalOperator, so: bool) -> LogicalOperator {
    match (operator, so) {
        (operator, true) => operator,
        (LogicalOperator::And, false) => LogicalOperator::Or,
        (_, false) => LogicalOperator::And,
    }
}

/// Shows what stands between the operators of a chain, from the left.
fn operands<'e, 'a>(
    it: &'e LogicalExpression<'a>,
    operator: LogicalOperator,
    show: &mut impl FnMut(&'e Expression<'a>),
) {
    for side in [&it.left, &it.right] {
        match side {
            Expression::LogicalExpression(inner) if inner.operator == operator => operands(inner, operator, show),
            other => show(other),
        }
    }
}

/// As [`operands`], taken out.
fn into_operands<'a>(expression: Expression<'a>, operator: LogicalOperator, found: &mut Vec<Expression<'a>>) {
    match expression {
        Expression::LogicalExpression(it) if it.operator == operator => {
            let it = it.unbox();
            into_operands(it.left, operator, found);
            into_operands(it.right, operator, found);
        }
        other => found.push(other),
    }
}

/// What a part of a condition is that is no `&&`, `||` or `!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Tight,
    Equality,
    Binary,
    Loose,
}

impl Leaf {
    fn of(expression: &Expression<'_>) -> Self {
        match expression {
            Expression::BinaryExpression(it) if it.operator.is_equality() => Self::Equality,
            Expression::BinaryExpression(_) | Expression::PrivateInExpression(_) => Self::Binary,
            Expression::AssignmentExpression(_)
            | Expression::ConditionalExpression(_)
            | Expression::SequenceExpression(_)
            | Expression::ArrowFunctionExpression(_)
            | Expression::YieldExpression(_)
            | Expression::LogicalExpression(_) => Self::Loose,
            _ => Self::Tight,
        }
    }
}

fn is_boolean(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::BinaryExpression(it) => {
            it.operator.is_equality() || it.operator.is_compare() || it.operator.is_in() || it.operator.is_instance_of()
        }
        Expression::BooleanLiteral(_) | Expression::PrivateInExpression(_) => true,
        _ => false,
    }
}

impl<'a> Shortening<'a> {
    /// Says an expression, or that it is not so, in the shortest way for its place.
    fn say(&self, expression: Expression<'a>, so: bool, place: Place, need: Need) -> Expression<'a> {
        match expression {
            Expression::UnaryExpression(it) if it.operator.is_not() => self.say(it.unbox().argument, !so, place, need),
            Expression::LogicalExpression(it) if !it.operator.is_coalesce() => {
                let operator = it.operator;
                let mut parts = Vec::new();
                into_operands(Expression::LogicalExpression(it), operator, &mut parts);
                let costs: Vec<Costs> = parts.iter().map(Costs::of).collect();
                let said = joined(operator, &costs, so, need);
                let direct = Cost::of_chain(turned(operator, so), said).within(place);
                if 3 + joined(operator, &costs, !so, Need::Truth) < direct {
                    return self.not(self.chain(operator, parts, !so, Need::Truth));
                }
                self.chain(operator, parts, so, need)
            }
            Expression::BinaryExpression(mut it) if !so && it.operator.is_equality() => {
                it.operator = it.operator.equality_inverse_operator().unwrap_or(it.operator);
                Expression::BinaryExpression(it)
            }
            other if !so => self.not(other),
            other if need == Need::Boolean && !is_boolean(&other) => self.not(self.not(other)),
            other => other,
        }
    }

    fn chain(&self, operator: LogicalOperator, parts: Vec<Expression<'a>>, so: bool, need: Need) -> Expression<'a> {
        let operator = turned(operator, so);
        let mut parts = parts
            .into_iter()
            .map(|part| self.say(part, so, Place::beside(operator), need));
        let first = parts.next().unwrap_or_else(|| Expression::new_number_0(&self.ast));
        parts.fold(first, |left, right| self.join(left, operator, right))
    }

    /// Puts an operator between two expressions; one that has the same on its right goes on from there.
    fn join(&self, left: Expression<'a>, operator: LogicalOperator, right: Expression<'a>) -> Expression<'a> {
        let mut parts = Vec::new();
        into_operands(right, operator, &mut parts);
        parts.into_iter().fold(left, |left, right| {
            let span = left.span().merge(right.span());
            Expression::new_logical_expression(span, left, operator, right, &self.ast)
        })
    }

    fn not(&self, expression: Expression<'a>) -> Expression<'a> {
        let span = expression.span();
        Expression::new_unary_expression(span, UnaryOperator::LogicalNot, expression, &self.ast)
    }

    /// Shortens what stands where only its truth counts.
    fn condition(&self, test: &mut Expression<'a>, place: Place) {
        let written = Costs::as_written(test).within(place);
        if written > 0 && Costs::of(test).truth[1].within(place) < written {
            *test = self.say(test.take_in(&self.allocator), true, place, Need::Truth);
        }
    }

    /// Says once what both branches end with: `a ? b : (c, b)` is `a || c, b`.
    fn share_end(&self, expression: &mut Expression<'a>) {
        let Expression::ConditionalExpression(it) = expression else {
            return;
        };
        let ends_with = |sequence: &Expression<'a>, end: &Expression<'a>| match sequence {
            Expression::SequenceExpression(it) => it.expressions.last().is_some_and(|last| last.content_eq(end)),
            _ => false,
        };
        let (operator, branch) = if ends_with(&it.alternate, &it.consequent) {
            (LogicalOperator::Or, &mut it.alternate)
        } else if ends_with(&it.consequent, &it.alternate) {
            (LogicalOperator::And, &mut it.consequent)
        } else {
            return;
        };
        let Expression::SequenceExpression(mut sequence) = branch.take_in(&self.allocator) else {
            return;
        };
        let Some(end) = sequence.expressions.pop() else { return };
        let before = match (sequence.expressions.len(), sequence.expressions.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                sequence.expressions.push(last);
                Expression::SequenceExpression(sequence)
            }
            (_, None) => return,
        };
        let span = it.span;
        let mut before = self.join(it.test.take_in(&self.allocator), operator, before);
        self.effect(&mut before);
        *expression = Expression::new_sequence_expression(span, [before, end], &self.ast);
    }

    /// Shortens what stands where nothing is made of its value.
    fn effect(&self, expression: &mut Expression<'a>) {
        match expression {
            Expression::SequenceExpression(it) => it.expressions.iter_mut().for_each(|one| self.effect(one)),
            Expression::ConditionalExpression(it) => {
                self.effect(&mut it.consequent);
                self.effect(&mut it.alternate);
            }
            Expression::LogicalExpression(it) if !it.operator.is_coalesce() => {
                self.effect(&mut it.right);
                let after = Costs::as_written(&it.right);
                let cost = |before: Cost, operator: LogicalOperator| {
                    let place = Place::beside(operator);
                    before.within(place) + after.within(place)
                };
                let costs = Costs::of(&it.left);
                let written = cost(Costs::as_written(&it.left), it.operator);
                let ways = [true, false].map(|so| (cost(costs.get(so, Need::Truth), turned(it.operator, so)), so));
                let Some((least, so)) = ways.into_iter().min_by_key(|(cost, _)| *cost) else {
                    return;
                };
                if least < written {
                    let operator = turned(it.operator, so);
                    let left = it.left.take_in(&self.allocator);
                    let left = self.say(left, so, Place::beside(operator), Need::Truth);
                    let right = it.right.take_in(&self.allocator);
                    *expression = self.join(left, operator, right);
                }
            }
            _ => {}
        }
    }
}

impl<'a> VisitMut<'a> for Shortening<'a> {
    fn visit_if_statement(&mut self, it: &mut IfStatement<'a>) {
        walk_mut::walk_if_statement(self, it);
        self.condition(&mut it.test, Place::Free);
    }

    fn visit_while_statement(&mut self, it: &mut WhileStatement<'a>) {
        walk_mut::walk_while_statement(self, it);
        self.condition(&mut it.test, Place::Free);
    }

    fn visit_do_while_statement(&mut self, it: &mut DoWhileStatement<'a>) {
        walk_mut::walk_do_while_statement(self, it);
        self.condition(&mut it.test, Place::Free);
    }

    fn visit_for_statement(&mut self, it: &mut ForStatement<'a>) {
        walk_mut::walk_for_statement(self, it);
        if let Some(test) = &mut it.test {
            self.condition(test, Place::Free);
        }
        if let Some(init) = it.init.as_mut().and_then(ForStatementInit::as_expression_mut) {
            self.effect(init);
        }
        if let Some(update) = &mut it.update {
            self.effect(update);
        }
    }

    fn visit_conditional_expression(&mut self, it: &mut ConditionalExpression<'a>) {
        walk_mut::walk_conditional_expression(self, it);
        let written = Costs::as_written(&it.test).within(Place::Test);
        let costs = Costs::of(&it.test);
        let cost = |so: bool| costs.get(so, Need::Truth).within(Place::Test);
        if cost(true).min(cost(false)) < written {
            let so = cost(true) <= cost(false);
            it.test = self.say(it.test.take_in(&self.allocator), so, Place::Test, Need::Truth);
            if !so {
                std::mem::swap(&mut it.consequent, &mut it.alternate);
            }
        }
    }

    fn visit_expression(&mut self, it: &mut Expression<'a>) {
        walk_mut::walk_expression(self, it);
        if matches!(it, Expression::UnaryExpression(it) if it.operator.is_not()) {
            let written = Costs::as_written(it).within(Place::Not);
            if Costs::of(it).boolean[1].within(Place::Not) < written {
                *it = self.say(it.take_in(&self.allocator), true, Place::Not, Need::Boolean);
            }
        }
    }

    fn visit_return_statement(&mut self, it: &mut ReturnStatement<'a>) {
        walk_mut::walk_return_statement(self, it);
        if let Some(argument) = &mut it.argument {
            self.share_end(argument);
        }
    }

    fn visit_sequence_expression(&mut self, it: &mut SequenceExpression<'a>) {
        walk_mut::walk_sequence_expression(self, it);
        if let Some((_, rest)) = it.expressions.split_last_mut() {
            for one in rest {
                self.effect(one);
            }
        }
    }

    fn visit_expression_statement(&mut self, it: &mut ExpressionStatement<'a>) {
        walk_mut::walk_expression_statement(self, it);
        self.effect(&mut it.expression);
    }
}
