//! Ends of functions and loops: what leaves early there (`if (a) return; b()`) is said by a condition (`if (!a) b()`).

use std::collections::HashSet;

use oxc::allocator::{Allocator, TakeIn, Vec as ArenaVec};
use oxc::ast::ast::{
    DoWhileStatement, Expression, ForInStatement, ForOfStatement, ForStatement, FunctionBody, IdentifierReference,
    Program, Statement, UnaryOperator, WhileStatement,
};
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{Visit, VisitMut, walk_mut};
use oxc::span::SPAN;

/// Rewrites the ends of a program's functions and loops, before it is minified.
pub(super) fn fold<'a>(program: &mut Program<'a>, allocator: &'a Allocator) {
    Folding {
        ast: AstBuilder::new(allocator),
        allocator,
    }
    .visit_program(program);
}

/// So many are put into each other; what reads them is bounded in depth.
const DEEPEST: usize = 32;

struct Folding<'a> {
    ast: AstBuilder<'a>,
    allocator: &'a Allocator,
}

/// What leaves early, and does the same as coming to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Return,
    Continue,
}

impl Exit {
    fn is(self, statement: &Statement<'_>) -> bool {
        match (self, statement) {
            (Self::Return, Statement::ReturnStatement(it)) => it.argument.is_none(),
            (Self::Continue, Statement::ContinueStatement(it)) => it.label.is_none(),
            _ => false,
        }
    }
}

impl<'a> Folding<'a> {
    /// Folds statements after which a function or a round of a loop ends.
    fn tail(&self, statements: &mut ArenaVec<'a, Statement<'a>>, exit: Exit) {
        if statements.last().is_some_and(|last| exit.is(last)) {
            statements.pop();
        }
        let mut depth = 0;
        for at in (0..statements.len()).rev() {
            depth += usize::from(self.fold_at(statements, at, exit));
            if depth == DEEPEST {
                break;
            }
        }
        if let Some(last) = statements.last_mut() {
            self.tail_of(last, exit);
        }
    }

    /// As [`tail`](Self::tail), for a single statement.
    fn tail_of(&self, statement: &mut Statement<'a>, exit: Exit) {
        match statement {
            Statement::BlockStatement(it) => self.tail(&mut it.body, exit),
            Statement::IfStatement(it) => {
                self.tail_of(&mut it.consequent, exit);
                if let Some(alternate) = &mut it.alternate {
                    self.tail_of(alternate, exit);
                }
            }
            _ => {}
        }
    }

    /// Puts what follows an `if` that leaves into its `else`, and tells whether it did.
    fn fold_at(&self, statements: &mut ArenaVec<'a, Statement<'a>>, at: usize, exit: Exit) -> bool {
        let Some((before, rest)) = statements.split_at_checked(at + 1) else {
            return false;
        };
        let leaves = before.last().is_some_and(|it| match it {
            Statement::IfStatement(it) => it.alternate.is_none() && leaves(&it.consequent, exit),
            _ => false,
        });
        if !leaves || rest.is_empty() || !may_be_enclosed(before, rest) {
            return false;
        }
        let mut rest = ArenaVec::from_iter_in(statements.drain(at + 1..), &self.allocator);
        let rest = match (rest.len(), rest.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                rest.push(last);
                Statement::new_block_statement(SPAN, rest, &self.ast)
            }
            (_, None) => return false,
        };
        let Some(Statement::IfStatement(it)) = statements.last_mut() else {
            return false;
        };
        if exit.is(&it.consequent) || matches!(&it.consequent, Statement::BlockStatement(it) if it.body.len() == 1) {
            let test = it.test.take_in(&self.allocator);
            it.test = match test {
                Expression::UnaryExpression(it) if it.operator.is_not() => it.unbox().argument,
                test => Expression::new_unary_expression(SPAN, UnaryOperator::LogicalNot, test, &self.ast),
            };
            it.consequent = rest;
        } else {
            if let Statement::BlockStatement(it) = &mut it.consequent {
                it.body.pop();
            }
            it.alternate = Some(rest);
        }
        true
    }

    fn loop_body(&self, body: &mut Statement<'a>) {
        self.tail_of(body, Exit::Continue);
    }
}

fn leaves(statement: &Statement<'_>, exit: Exit) -> bool {
    match statement {
        Statement::BlockStatement(it) => it.body.last().is_some_and(|last| exit.is(last)),
        other => exit.is(other),
    }
}

/// Whether statements can stand in a block of their own, for all the names they declare are theirs.
fn may_be_enclosed(before: &[Statement<'_>], rest: &[Statement<'_>]) -> bool {
    let mut declared = HashSet::new();
    for statement in rest {
        match statement {
            Statement::VariableDeclaration(it) if it.kind.is_var() => {}
            Statement::VariableDeclaration(it) if it.kind.is_lexical() && !it.kind.is_using() => {
                for one in &it.declarations {
                    let names = one.id.get_binding_identifiers();
                    declared.extend(names.iter().map(|name| name.name.as_str()));
                }
            }
            Statement::ExpressionStatement(_)
            | Statement::IfStatement(_)
            | Statement::ReturnStatement(_)
            | Statement::ThrowStatement(_)
            | Statement::ForStatement(_)
            | Statement::ForInStatement(_)
            | Statement::ForOfStatement(_)
            | Statement::WhileStatement(_)
            | Statement::DoWhileStatement(_)
            | Statement::SwitchStatement(_)
            | Statement::TryStatement(_)
            | Statement::BlockStatement(_)
            | Statement::ContinueStatement(_)
            | Statement::BreakStatement(_)
            | Statement::EmptyStatement(_) => {}
            _ => return false,
        }
    }
    if declared.is_empty() {
        return true;
    }
    let mut seen = Seen {
        names: &declared,
        is_used: false,
    };
    for statement in before {
        seen.visit_statement(statement);
    }
    !seen.is_used
}

/// Whether any of some names is referred to.
struct Seen<'n> {
    names: &'n HashSet<&'n str>,
    is_used: bool,
}

impl<'a> Visit<'a> for Seen<'_> {
    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.is_used |= self.names.contains(it.name.as_str());
    }
}

impl<'a> VisitMut<'a> for Folding<'a> {
    fn visit_function_body(&mut self, it: &mut FunctionBody<'a>) {
        self.tail(&mut it.statements, Exit::Return);
        walk_mut::walk_function_body(self, it);
    }

    fn visit_for_statement(&mut self, it: &mut ForStatement<'a>) {
        self.loop_body(&mut it.body);
        walk_mut::walk_for_statement(self, it);
    }

    fn visit_for_in_statement(&mut self, it: &mut ForInStatement<'a>) {
        self.loop_body(&mut it.body);
        walk_mut::walk_for_in_statement(self, it);
    }

    fn visit_for_of_statement(&mut self, it: &mut ForOfStatement<'a>) {
        self.loop_body(&mut it.body);
        walk_mut::walk_for_of_statement(self, it);
    }

    fn visit_while_statement(&mut self, it: &mut WhileStatement<'a>) {
        self.loop_body(&mut it.body);
        walk_mut::walk_while_statement(self, it);
    }

    fn visit_do_while_statement(&mut self, it: &mut DoWhileStatement<'a>) {
        self.loop_body(&mut it.body);
        walk_mut::walk_do_while_statement(self, it);
    }
}
