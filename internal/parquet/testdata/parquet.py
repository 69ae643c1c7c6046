"""Writes *.parquet, the same rows in several ways, and rows.jsonl.

Run as: python parquet.py
"""
import datasets, json
import pyarrow as pa, pyarrow.parquet as pq

rows = []
for i in range(40):
    rows.append({
        "id": i * 1000003 - 7,
        "small": i - 3,
        "question": ["Who?", "Où est-ce ?", "", "long " * i][i % 4],
        "ok": i % 3 == 0,
        "score": i / 4,
        "half": i / 2,
        "none": None,
        "note": None if i % 4 else f"note {i}",
        "answers": {"text": ["a", "the b"][: i % 3], "answer_start": [i, 2][: i % 3]},
        "choices": [["x", "y"], [], ["z"], None][i % 4],
        "nested": [[{"a": [1, 2], "b": "p"}, {"a": [], "b": None}], [], [{"a": [i], "b": "q"}]][i % 3],
        "maybe": {"x": i} if i % 2 else None,
    })
features = pa.schema([
    ("id", pa.int64()), ("small", pa.int32()), ("question", pa.string()), ("ok", pa.bool_()), ("score", pa.float64()),
    ("half", pa.float32()), ("none", pa.string()), ("note", pa.string()),
    ("answers", pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])),
    ("choices", pa.list_(pa.string())),
    ("nested", pa.list_(pa.struct([("a", pa.list_(pa.int64())), ("b", pa.string())]))),
    ("maybe", pa.struct([("x", pa.int64())])),
])
table = pa.Table.from_pylist(rows, schema=features)
pq.write_table(table, "plain.parquet", compression="none", use_dictionary=False)
pq.write_table(table, "snappy.parquet", row_group_size=17, data_page_size=60, write_batch_size=4)
pq.write_table(table, "gzip2.parquet", compression="gzip", data_page_version="2.0")
pq.write_table(table, "zstd.parquet", compression="zstd")
datasets.Dataset(table).to_parquet("datasets.parquet")
with open("rows.jsonl", "w") as f:
    for row in table.to_pylist():
        f.write(json.dumps(row) + "\n")
