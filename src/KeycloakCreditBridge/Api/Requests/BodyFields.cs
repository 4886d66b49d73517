using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Api.Requests;

/// <summary>Reads the fields of a JSON body. All problems are collected, so that the answer names them at once.</summary>
internal sealed class BodyFields
{
    private const int Longest = 65_536;

    private readonly JsonElement _body;
    private readonly Dictionary<string, string> _problems = new(StringComparer.Ordinal);

    private BodyFields(JsonElement body, byte[] hash)
    {
        (_body, Hash) = (body, hash);
    }

    /// <summary>Differs between requests of different routes or bodies.</summary>
    public byte[] Hash { get; }

    /// <exception cref="RequestRefusedException">The body is no JSON object, or too long.</exception>
    public static async Task<BodyFields> ReadAsync(HttpRequest request)
    {
        if (!request.HasJsonContentType())
            throw new RequestRefusedException(StatusCodes.Status415UnsupportedMediaType, "Send a JSON object as application/json.");
        if (!ContentEncoding.IsNone(request))
            throw new RequestRefusedException(StatusCodes.Status415UnsupportedMediaType, ContentEncoding.Refusal);
        using var body = await RequestBody.ReadAsync(request, Longest, request.HttpContext.RequestAborted)
            ?? throw new RequestRefusedException(StatusCodes.Status413PayloadTooLarge, $"The body is longer than {Longest} bytes.");
        return new BodyFields(StrictJson.ParseObject(body.Bytes), HashOf(request, body.Bytes.Span));
    }

    /// <exception cref="RequestRefusedException">A field that was asked for is missing or wrong.</exception>
    public void Check()
    {
        if (_problems.Count > 0)
            throw RequestRefusedException.Invalid(_problems);
    }

    /// <summary>Whether the body has this field, be it null.</summary>
    public bool Has(string name) => _body.TryGetProperty(name, out _);

    /// <summary>Refuses fields of other names, where one that is misspelled would be lost.</summary>
    public void Only(IReadOnlyCollection<string> names)
    {
        foreach (var field in _body.EnumerateObject().Where(field => !names.Contains(field.Name)))
            _problems.TryAdd(field.Name, $"is not a field: choose {string.Join(", ", names)}");
    }

    /// <summary>Adds what is wrong with a field beyond its form.</summary>
    public void Refuse(string name, string problem) => Wrong(name, problem);

    /// <summary>A required id of a user or an account.</summary>
    public string UserId(string name)
    {
        var id = Text(name, 255);
        if (UserIds.ProblemWith(id) is { } problem)
            _problems[name] = problem;
        return id;
    }

    /// <summary>Required text.</summary>
    public string Text(string name, int longest)
    {
        var text = OptionalText(name, longest);
        if (string.IsNullOrEmpty(text))
            _problems.TryAdd(name, "is missing");
        return text ?? "";
    }

    public string? OptionalText(string name, int longest)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.String)
            return Wrong(name, "is not text");
        var text = value.GetString()!;
        return text.Length > longest ? Wrong(name, $"is longer than {longest} characters")
            : text.Contains('\0', StringComparison.Ordinal) ? Wrong(name, "contains a zero character")
            : text;
    }

    /// <summary>Required, and more than 0.</summary>
    public decimal Amount(string name)
    {
        var amount = OptionalAmount(name);
        if (amount is null or 0m)
            _problems.TryAdd(name, amount is null ? "is missing" : "is not more than 0");
        return amount ?? 0m;
    }

    /// <summary>Required, and not 0.</summary>
    public decimal SignedAmount(string name)
    {
        var amount = AmountOf(name, maySubtract: true);
        if (amount is null or 0m)
            _problems.TryAdd(name, amount is null ? "is missing" : "is 0");
        return amount ?? 0m;
    }

    /// <summary>0 or more, as a number or as text.</summary>
    public decimal? OptionalAmount(string name) => AmountOf(name, maySubtract: false);

    /// <summary>The id of a row of the ledger.</summary>
    public Guid? OptionalId(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.String && value.TryGetGuid(out var id))
            return id;
        Wrong(name, "is not an id of a transaction");
        return null;
    }

    /// <summary>A whole number from 0, up to the greatest that is allowed.</summary>
    public int? OptionalCount(string name, int most = int.MaxValue)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count >= 0 && count <= most)
            return count;
        Wrong(name, $"is not a whole number from 0 to {most}");
        return null;
    }

    /// <summary>An instant with its offset from UTC, as ISO 8601 writes it.</summary>
    public DateTimeOffset? OptionalInstant(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out var instant))
            return instant.ToUniversalTime();
        Wrong(name, "is not an instant such as 2026-01-31T08:00:00Z");
        return null;
    }

    /// <summary>Texts that name users; at least one.</summary>
    public IReadOnlyList<string>? OptionalTexts(string name, int most)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() is > 0 and var count && count <= most
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String && UserIds.ProblemWith(item.GetString()!) is null))
        {
            return [.. value.EnumerateArray().Select(item => item.GetString()!)];
        }

        Wrong(name, $"is not a list of 1 to {most} users");
        return null;
    }

    public bool Flag(string name)
    {
        if (Find(name) is not { } value)
            return false;
        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            Wrong(name, "is neither true nor false");
        return value.ValueKind == JsonValueKind.True;
    }

    /// <summary>A JSON object of the caller, within the bounds of <see cref="MetadataObject"/>.</summary>
    public JsonObject? OptionalObject(string name, int longest = MetadataObject.Longest)
    {
        if (Find(name) is not { } value)
            return null;
        var problem = value.ValueKind == JsonValueKind.Object ? MetadataObject.ProblemWith(value, longest) : "is not an object";
        if (problem is null)
            return JsonObject.Create(value.Clone());
        Wrong(name, problem);
        return null;
    }

    /// <summary>One of these values; the first when it is missing.</summary>
    public string Choice(string name, params string[] choices)
    {
        var choice = OptionalText(name, 50) ?? choices[0];
        if (!choices.Contains(choice, StringComparer.Ordinal))
            Wrong(name, $"is none of {string.Join(", ", choices)}");
        return choice;
    }

    private static byte[] HashOf(HttpRequest request, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Path.Value?.ToLowerInvariant()}\n"));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }

    private decimal? AmountOf(string name, bool maySubtract)
    {
        if (Find(name) is not { } value)
            return null;
        var text = value.ValueKind switch
        {
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.String => value.GetString()!,
            _ => "",
        };
        var (amount, problem) = Api.Requests.Amount.Parse(text, maySubtract);
        if (problem is not null)
            Wrong(name, problem);
        return amount;
    }

    private JsonElement? Find(string name) =>
        _body.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private string? Wrong(string name, string problem)
    {
        _problems.TryAdd(name, problem);
        return null;
    }
}
