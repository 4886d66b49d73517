using System.Text.Json;
using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>Reads the Admin API's answers about users; members that are not named here are ignored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(KeycloakUser))]
[JsonSerializable(typeof(IReadOnlyList<KeycloakUser>))]
[JsonSerializable(typeof(IReadOnlyList<FederatedIdentity>))]
[JsonSerializable(typeof(IReadOnlyList<UserGroup>))]
[JsonSerializable(typeof(IReadOnlyList<RealmRole>))]
[JsonSerializable(typeof(IReadOnlyList<StoredCredential>))]
[JsonSerializable(typeof(IReadOnlyList<UserOrganization>))]
[JsonSerializable(typeof(IReadOnlyList<JsonElement>))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(long))]
internal sealed partial class KeycloakJson : JsonSerializerContext;
