using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Chaos.Fuzzing.Readers;

/// <summary>Bodies of the HTTP API.</summary>
[SuppressMessage("Security", "CA5394", Justification = "A seed has to make the same choices each time.")]
internal static class ApiReading
{
    private const decimal LargestAmount = 99_999_999_999_999.999999m;

    private static readonly string[] MediaTypes =
        ["application/json", "application/json", "application/json; charset=utf-16", "application/problem+json", "text/plain", "", "json/"];

    private static readonly ServiceProvider Services =
        new ServiceCollection().AddSingleton(TimeProvider.System).Configure<ApiOptions>(_ => { }).BuildServiceProvider();

    /// <summary>Whether the fields of a body pass.</summary>
    public static bool Fields(byte[] body, Random random)
    {
        var context = new DefaultHttpContext { RequestServices = Services };
        (context.Request.Method, context.Request.Path, context.Request.ContentLength) = ("POST", "/api/v1/credits/deduct", body.Length);
        context.Request.ContentType = MediaTypes[random.Next(MediaTypes.Length)];
        using var stream = new MemoryStream(body);
        context.Request.Body = stream;
        try
        {
            // All of it is in memory, so that nothing is waited for.
            Read(BodyFields.ReadAsync(context.Request).GetAwaiter().GetResult());
            return true;
        }
        catch (RequestRefusedException refused)
        {
            BrokenPromiseException.Unless(refused.Status is >= 400 and < 500, $"It is refused with {refused.Status}.");
            BrokenPromiseException.UnlessStorable(refused.Message, "The message");
            return false;
        }
    }

    private static void Read(BodyFields fields)
    {
        decimal?[] amounts = [fields.OptionalAmount("amount"), fields.OptionalAmount("cost"), fields.OptionalAmount("response_cost")];
        string?[] texts =
        [
            fields.OptionalText("user_id", 255), fields.OptionalText("reason", 500), fields.OptionalText("type", 50),
            fields.OptionalText("code", 100), fields.OptionalText("realmName", 255),
        ];
        var users = fields.OptionalTexts("user_ids", 100);
        var end = fields.OptionalInstant("expires_at");
        var count = fields.OptionalCount("tokens", 1_000_000);
        var kept = (JsonObject?[])[fields.OptionalObject("metadata"), fields.OptionalObject("details")];
        _ = (fields.OptionalId("refunds"), fields.Flag("allow_negative"), fields.Choice("new_tier", "free", "starter"), fields.Has("x"));
        fields.Check();
        BrokenPromiseException.Unless(
            amounts.All(amount => amount is null or (>= 0 and <= LargestAmount) && decimal.Round(amount ?? 0, 6) == (amount ?? 0)),
            $"An amount of {string.Join(", ", amounts)} is taken.");
        BrokenPromiseException.Unless(count is null or (>= 0 and <= 1_000_000), $"A count of {count} is taken.");
        BrokenPromiseException.Unless(end is null || end.Value.Offset == TimeSpan.Zero, $"The instant {end} is not in UTC.");
        foreach (var text in texts.Concat(users ?? []))
            BrokenPromiseException.UnlessStorable(text, "A text");
        foreach (var metadata in kept.OfType<JsonObject>())
            CheckStorable(JsonDocument.Parse(metadata.ToJsonString()).RootElement);
    }

    private static void CheckStorable(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                BrokenPromiseException.UnlessStorable(value.GetString(), "A text of the metadata");
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                    CheckStorable(item);
                break;
            case JsonValueKind.Object:
                foreach (var property in value.EnumerateObject())
                {
                    BrokenPromiseException.UnlessStorable(property.Name, "A name of the metadata");
                    CheckStorable(property.Value);
                }

                break;
        }
    }
}
