"""What a chat application needs in production, around `apps.chat`: notebook 07 shows it at work."""
