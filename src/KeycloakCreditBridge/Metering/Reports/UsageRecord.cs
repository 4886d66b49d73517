namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>One call of a model that has happened. Fields as LiteLLM's StandardLoggingPayload names them.</summary>
/// <param name="Id">
/// The same however often the record is sent: `id`, which is the provider's, or the call's own where the provider gives none. That one the
/// caller may choose and use again, so there the times of the call belong to it.
/// </param>
/// <param name="UserId">`metadata.user_api_key_user_id`: Keycloak's id of the user, or the account's.</param>
/// <param name="Cost">`response_cost` in US dollars; null when the gateway knows no price.</param>
/// <param name="Tokens">`total_tokens`.</param>
/// <param name="CacheHit">The answer came from the gateway's cache.</param>
/// <param name="Metadata">What the ledger keeps besides, as JSON.</param>
/// <param name="Raw">The record as it came, but for null where JSON has no word for a number.</param>
internal sealed record UsageRecord(
    string Id,
    string UserId,
    decimal? Cost,
    int Tokens,
    bool CacheHit,
    string? Model,
    string? Provider,
    string Metadata,
    byte[] Raw)
{
    /// <summary>`model_group`: the model as the gateway's operator named it for its callers.</summary>
    public string? ModelGroup { get; init; }
}

/// <summary>A record that can never be charged.</summary>
internal sealed record RefusedRecord(byte[] Raw, string Error);

/// <summary>What a body holds. Calls that failed are left out: they cost nothing.</summary>
internal sealed record Usage(IReadOnlyList<UsageRecord> Records, IReadOnlyList<RefusedRecord> Refused);
