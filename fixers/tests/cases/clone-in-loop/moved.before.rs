fn take(name: String) -> usize {
    name.len()
}

fn look(name: &String) -> usize {
    name.len()
}

pub fn owned(names: Vec<String>) -> usize {
    let mut sum = 0;
    for name in names {
        sum += take(name.clone());
    }
    sum
}

pub fn dead(names: Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    for name in &names {
        out.push(name.clone());
    }
    out
}

pub fn lent(prefix: String, names: &[u64]) -> usize {
    let mut sum = 0;
    for _ in names {
        sum += look(&prefix.clone());
    }
    sum
}

pub struct Row {
    pub name: String,
    pub at: usize,
}

pub fn rows(names: Vec<String>) -> Vec<Row> {
    let mut out = Vec::new();
    for name in &names {
        out.push(Row { name: name.clone(), at: out.len() });
    }
    out
}
