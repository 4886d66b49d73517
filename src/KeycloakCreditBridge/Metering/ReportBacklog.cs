namespace KeycloakCreditBridge.Metering;

/// <summary>The stored reports that are not processed completely.</summary>
/// <param name="FirstDueAt">When the first of them is due; later than now if all of them wait for an account.</param>
internal sealed record ReportBacklog(long Waiting, DateTimeOffset? FirstDueAt);
