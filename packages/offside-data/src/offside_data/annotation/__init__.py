"""What annotators say of records: tasks for Label Studio, their answers, agreement, adjudication."""
