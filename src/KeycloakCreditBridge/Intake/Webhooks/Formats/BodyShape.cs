using System.Text.Json;

namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>Members by which formats are distinguished.</summary>
[Flags]
internal enum BodyMembers
{
    None = 0,
    AuthDetails = 1,
    EventId = 2,
    OccurredAt = 4,
    OperationType = 8,
    RealmId = 16,
    ResourcePath = 32,
    Source = 64,
    SpecVersion = 128,
    Time = 256,
    Uid = 512,
}

/// <summary>The outer shape of a body: which members its object has, and its type.</summary>
/// <param name="Members">Those that are there and not null.</param>
/// <param name="Type">The text of `type`.</param>
internal readonly record struct BodyShape(BodyMembers Members, string? Type)
{
    private static readonly (string Name, BodyMembers Member)[] Names =
    [
        ("authDetails", BodyMembers.AuthDetails),
        ("eventId", BodyMembers.EventId),
        ("occurredAt", BodyMembers.OccurredAt),
        ("operationType", BodyMembers.OperationType),
        ("realmId", BodyMembers.RealmId),
        ("resourcePath", BodyMembers.ResourcePath),
        ("source", BodyMembers.Source),
        ("specversion", BodyMembers.SpecVersion),
        ("time", BodyMembers.Time),
        ("uid", BodyMembers.Uid),
    ];

    /// <summary>The shape of a body; one that is no JSON object has none, and its format's reader names the fault.</summary>
    public static BodyShape Of(ReadOnlySpan<byte> body)
    {
        try
        {
            return ReadShape(body);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return default;
        }
    }

    public bool HasAll(BodyMembers members) => (Members & members) == members;

    public bool HasAny(BodyMembers members) => (Members & members) != BodyMembers.None;

    private static BodyShape ReadShape(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return default;
        var members = BodyMembers.None;
        string? type = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type");
            var member = MemberAt(ref reader);
            reader.Read();
            if (isType)
                type = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            if (reader.TokenType != JsonTokenType.Null)
                members |= member;
            reader.Skip();
        }

        return new BodyShape(members, type);
    }

    private static BodyMembers MemberAt(ref Utf8JsonReader reader)
    {
        foreach (var (name, member) in Names)
            if (reader.ValueTextEquals(name))
                return member;
        return BodyMembers.None;
    }
}
