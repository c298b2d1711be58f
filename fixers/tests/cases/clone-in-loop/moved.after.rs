fn take(name: String) -> usize {
    name.len()
}

fn look(name: &String) -> usize {
    name.len()
}

pub fn owned(names: Vec<String>) -> usize {
    let mut sum = 0;
    for name in names {
        sum += take(name);
    }
    sum
}

pub fn dead(names: Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    for name in names {
        out.push(name);
    }
    out
}

pub fn lent(prefix: String, names: &[u64]) -> usize {
    let mut sum = 0;
    for _ in names {
        sum += look(&prefix);
    }
    sum
}

pub struct Row {
    pub name: String,
    pub at: usize,
}

pub fn rows(names: Vec<String>) -> Vec<Row> {
    let mut out = Vec::new();
    for name in names {
        out.push(Row { name, at: out.len() });
    }
    out
}
