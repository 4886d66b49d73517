namespace KeycloakCreditBridge.Grants;

/// <param name="Accounts">Accounts with ended credits that are not booked out; they are not spendable.</param>
/// <param name="OldestSeconds">How long ago the oldest of these ends was.</param>
/// <param name="HasEnds">Whether any credits have an end, passed or to come.</param>
internal sealed record SweepBacklog(long Accounts, double OldestSeconds, bool HasEnds);
