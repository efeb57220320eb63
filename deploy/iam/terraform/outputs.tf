output "scan_role_arn" {
  description = "The role that scans."
  value       = aws_iam_role.scan.arn
}

output "enforce_role_arn" {
  description = "The role that changes keys, if there is one."
  value       = one(aws_iam_role.enforce[*].arn)
}
