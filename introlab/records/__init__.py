"""What is kept: trials, receipts, findings, run folders, and looking things up in them. No torch, no drawing."""
