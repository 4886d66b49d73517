using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Intake.Deliveries.Review;

namespace KeycloakCreditBridge.Cli.Deliveries;

/// <summary>The line of `deliveries replay --failed-since --json`.</summary>
/// <param name="Deliveries">How many failed.</param>
/// <param name="Users">How many users they concern.</param>
/// <param name="WithoutUser">Refused ones that name no user.</param>
/// <param name="Run">The run that reads them again; null where they were counted only.</param>
internal sealed record ReplayResult(
    string Realm, DateTimeOffset Since, long Deliveries, long Users, long WithoutUser, long? Run);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DeliveryView))]
[JsonSerializable(typeof(UnprovenView))]
[JsonSerializable(typeof(ReplayResult))]
internal sealed partial class DeliveriesJson : JsonSerializerContext;
