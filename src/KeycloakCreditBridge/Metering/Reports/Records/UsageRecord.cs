namespace KeycloakCreditBridge.Metering.Reports.Records;

/// <summary>One call of a model that has happened. Fields as LiteLLM's StandardLoggingPayload names them.</summary>
/// <param name="Identity">The same however often the record is delivered.</param>
/// <param name="UserId">`metadata.user_api_key_user_id`: the user's Keycloak id, or the account id.</param>
/// <param name="Cost">`response_cost` in US dollars; null when the gateway knows no price.</param>
/// <param name="Tokens">`total_tokens`, rounded; null when it is unreadable.</param>
/// <param name="CacheHit">The answer came from the gateway's cache.</param>
/// <param name="Metadata">What else the ledger keeps, as JSON.</param>
/// <param name="Raw">The record as it came, with null for NaN and Infinity.</param>
internal sealed record UsageRecord(
    RecordIdentity Identity,
    string UserId,
    decimal? Cost,
    int? Tokens,
    bool CacheHit,
    string? Model,
    string? Provider,
    string Metadata,
    byte[] Raw)
{
    /// <summary>`model_group`: the model as the gateway's operator named it for its callers.</summary>
    public string? ModelGroup { get; init; }

    /// <summary>The record is about an object of the provider, such as a batch, which several records describe.</summary>
    public bool IsObject { get; init; }

    /// <summary>The object is not known to be finished: another record of it carries the cost.</summary>
    public bool IsPending { get; init; }

    /// <summary>The call failed or was interrupted after it had caused a cost.</summary>
    public bool IsFailure { get; init; }

    /// <summary>`endTime`; null when it is unknown.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>The user whose identity it is: none where it is shared.</summary>
    public string IdentityUser => Identity.IsShared ? "" : UserId;
}

/// <summary>A record that cannot be charged.</summary>
internal sealed record RefusedRecord(byte[] Raw, string Error);

/// <summary>The content of a body. Failed calls without a cost are left out.</summary>
internal sealed class Usage
{
    public List<UsageRecord> Records { get; } = [];

    public List<RefusedRecord> Refused { get; } = [];

    /// <summary>Records of reads, which generate nothing and cost nothing.</summary>
    public int Unbilled { get; set; }
}
