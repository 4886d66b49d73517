using KeycloakCreditBridge.Keycloak;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Intake;

/// <summary>A recorded plugin: the file of its deliveries, how it authenticates, and the hint of each delivery.</summary>
internal sealed record Plugin(
    string Name, string File, WebhookFormat Format, WebhookAuthentication Authentication, string Header, string[] Secrets, string?[] Hints);

/// <summary>The plugins besides Phase Two's `ext-event-webhook`, whose own tests hold it.</summary>
internal static class Plugins
{
    public const string RotatedSecret = "vy8fFvRLMmUB5PIfV/1wsHvizMfS868EpPQW76xPRPA=";

    public static readonly IReadOnlyList<Plugin> All =
    [
        new(
            "ext-event-http", "keycloak-events-0.59-ext-event-http-deliveries.jsonl", WebhookFormat.KeycloakEvents,
            WebhookAuthentication.Hmac, "X-Keycloak-Signature", [Deliveries.Secret],
            [
                "Changed 2eb376a0-cf06-4202-90f2-68623bfbaf85 USER-CREATE",
                null,
                "Changed 2eb376a0-cf06-4202-90f2-68623bfbaf85 USER-UPDATE",
                "Changed 41570bf5-4faf-4798-a577-26f9b2f383fd REALM-CREATE",
                "Deleted 2eb376a0-cf06-4202-90f2-68623bfbaf85 USER-DELETE",
                "Seen a345544a-67bb-449c-8a43-4810f18f530d LOGIN",
                "Changed a345544a-67bb-449c-8a43-4810f18f530d REGISTER",
            ]),
        new(
            "webhook-provider", "keycloak-webhook-provider-1.16.6-deliveries.jsonl", WebhookFormat.WebhookProvider,
            WebhookAuthentication.Hmac, "X-Keycloak-Signature", [Deliveries.Secret, RotatedSecret],
            [
                "Changed 6e1bb5ea-6b35-409a-babf-23d1dd6832e9 USER-UPDATE",
                "Changed 6e1bb5ea-6b35-409a-babf-23d1dd6832e9 USER-CREATE",
                "Changed e87632cd-ef7b-4449-8b4e-888e1f77d90a REALM-CREATE",
                "Deleted 6e1bb5ea-6b35-409a-babf-23d1dd6832e9 USER-DELETE",
                "Changed 281bd71e-34e5-4150-bbf8-f7e9a652c5db REGISTER",
                "Seen 281bd71e-34e5-4150-bbf8-f7e9a652c5db LOGIN",
                null,
                "Changed f8d8ca1a-9e57-4b56-a286-9f43a608bf50 REGISTER",
                "Seen f8d8ca1a-9e57-4b56-a286-9f43a608bf50 LOGIN",
            ]),
        new(
            "webhook-http", "vymalo-keycloak-webhook-0.9.1-deliveries.jsonl", WebhookFormat.Vymalo,
            WebhookAuthentication.Basic, "Authorization", ["bridge:s3cret"],
            [
                null,
                "Changed 2eb376a0-cf06-4202-90f2-68623bfbaf85 USER-CREATE",
                "Changed 2eb376a0-cf06-4202-90f2-68623bfbaf85 USER-UPDATE",
                "Changed 41570bf5-4faf-4798-a577-26f9b2f383fd REALM-CREATE",
                "Deleted 2eb376a0-cf06-4202-90f2-68623bfbaf85 USER-DELETE",
                "Changed a345544a-67bb-449c-8a43-4810f18f530d REGISTER",
                "Seen a345544a-67bb-449c-8a43-4810f18f530d LOGIN",
            ]),
        new(
            "event-forwarder", "keycloak-event-forwarder-0.1.1-deliveries.jsonl", WebhookFormat.EventForwarder,
            WebhookAuthentication.SharedHeader, "X-Webhook-Secret", ["s3cret-header"],
            [
                null,
                "Changed 441dc724-abc4-4c21-8b55-681f7470fedd USER-CREATE",
                "Changed 441dc724-abc4-4c21-8b55-681f7470fedd USER-UPDATE",
                "Changed 1a1b3614-a029-4f77-9886-9e154c1cd1b1 REALM-CREATE",
                "Deleted 441dc724-abc4-4c21-8b55-681f7470fedd USER-DELETE",
                "Changed e2633c7f-e7ac-416d-99a8-f627996e68f4 REGISTER",
                "Seen e2633c7f-e7ac-416d-99a8-f627996e68f4 LOGIN",
            ]),
    ];

    public static TheoryData<string> Names => [.. All.Select(plugin => plugin.Name)];

    public static Plugin Named(string name) => All.Single(plugin => plugin.Name == name);

    public static HeaderDictionary HeadersOf(IReadOnlyDictionary<string, string> recorded)
    {
        var headers = new HeaderDictionary();
        foreach (var (name, value) in recorded)
            headers[name] = value;
        return headers;
    }
}
