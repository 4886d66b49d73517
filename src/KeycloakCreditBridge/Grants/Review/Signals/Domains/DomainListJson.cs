using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Grants.Review.Signals.Domains;

[JsonSerializable(typeof(string[]))]
internal sealed partial class DomainListJson : JsonSerializerContext;
