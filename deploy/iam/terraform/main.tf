# The two roles that keysweep assumes in an account, and the managed policy of a quarantine, with the policies that `keysweep iam` prints for your configuration.
# Use the module once per account, with a provider for it.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39"
    }
  }
}

resource "aws_iam_role" "scan" {
  name                 = var.scan_role
  path                 = var.path
  description          = "keysweep reads users and access keys"
  max_session_duration = 3600
  assume_role_policy   = var.trust_policy
}

resource "aws_iam_role_policy" "scan" {
  name   = "keysweep"
  role   = aws_iam_role.scan.id
  policy = var.scan_policy
}

resource "aws_iam_role" "enforce" {
  count = var.enforce_policy == null ? 0 : 1

  name                 = var.enforce_role
  path                 = var.path
  description          = "keysweep changes access keys, under a session policy for each change"
  max_session_duration = 3600
  assume_role_policy   = var.trust_policy
}

resource "aws_iam_role_policy" "enforce" {
  count = var.enforce_policy == null ? 0 : 1

  name   = "keysweep"
  role   = aws_iam_role.enforce[0].id
  policy = var.enforce_policy
}

resource "aws_iam_policy" "quarantine" {
  count = var.quarantine_policy == null ? 0 : 1

  name        = var.quarantine_policy_name
  description = "keysweep attaches it to users before it deactivates their keys; ask the security team"
  policy      = var.quarantine_policy
}
