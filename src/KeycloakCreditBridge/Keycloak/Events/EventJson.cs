using System.Text.Json;
using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>Reads what the Admin API says of events; members that are not named here are ignored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(IReadOnlyList<UserEvent>))]
[JsonSerializable(typeof(IReadOnlyList<AdminEvent>))]
[JsonSerializable(typeof(EventsConfig))]
internal sealed partial class EventJson : JsonSerializerContext;
